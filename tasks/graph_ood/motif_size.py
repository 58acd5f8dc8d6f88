"""Motifs on bases of growing size."""

from __future__ import annotations

from typing import ClassVar

from bench import Reference, Run, Setup, TaskCard

from ._motif_task import GOOD, MOTIFS, PAPER, QUICK, SMOKE, MotifTask, split_of
from ._scores import ACCURACIES
from ._shapes import GOOD_MOTIFS, about, balanced, draw
from ._task import Split

WIDTHS = (6, 10, 15)
"""About how many nodes the bases of the three training environments have."""
WIDTHS_OOD = {"ood_val": 30, "ood_test": 70}


class MotifSize(MotifTask):
    """House, cycle or crane on five kinds of base of about 6, 10 or 15
    nodes; OOD: about 30 and 70.
    """

    card: ClassVar = TaskCard(
        name="motif-size",
        title="Motifs on larger bases than any in training",
        track="graph-ood",
        libraries=("torch_geometric",),
        paper="arXiv:2206.08452",
        bibtex=GOOD,
        metrics=ACCURACIES,
        presets={"smoke": SMOKE, "default": QUICK, "paper": PAPER},
        budget="40 epochs of batch 128",
        offers={"env": {}},
        references=(Reference(name="erm", kind="low"),),
    )

    def splits(self, run: Setup) -> dict[str, Split]:
        """Draw all five."""
        return {
            name: self.draw(run, name, WIDTHS if (ood := WIDTHS_OOD.get(name)) is None else (ood,))
            for name in ("train", "id_val", "id_test", *WIDTHS_OOD)
        }

    def draw(self, run: Run, name: str, widths: tuple[int, ...]) -> Split:
        """Draw one split: each width, base and motif as often as the others."""
        generator = run.numpy_generator("split", name)
        count = self.count(name)
        motif, base, env = (balanced(count, kinds, generator) for kinds in (MOTIFS, 5, len(widths)))
        bases = [shape for width in widths for shape in about(width)]
        drawn = draw(
            generator, list(GOOD_MOTIFS.values()), bases, motif, 5 * env + base, **self.noise(name)
        )
        return split_of(drawn, 5 * len(widths), env=env)
