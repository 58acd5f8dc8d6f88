"""Motifs on bases that no training graph has."""

from __future__ import annotations

from typing import ClassVar

from bench import Reference, Run, Setup, TaskCard
from bench.tracks.graph_ood import Problem, Solution

from ._motif_task import GOOD, MOTIFS, PAPER, QUICK, SMOKE, Hidden, MotifTask, split_of, train_on
from ._scores import ACCURACIES
from ._shapes import GOOD_MOTIFS, about, balanced, draw
from ._task import Split

WIDTH = 10
TRAIN, VAL, TEST = (0, 1, 2), (3,), (4,)
"""Wheel, tree and ladder; star; path: numbers of :func:`about`'s bases."""


class MotifBasis(MotifTask):
    """House, cycle or crane on a wheel, a tree or a ladder; OOD: on a star and on a path."""

    card: ClassVar = TaskCard(
        name="motif-basis",
        title="Motifs on bases that are not in training",
        track="graph-ood",
        libraries=("torch_geometric",),
        paper="arXiv:2206.08452",
        bibtex=GOOD,
        metrics=ACCURACIES,
        presets={"smoke": SMOKE, "default": QUICK, "paper": PAPER},
        budget="40 epochs of batch 128",
        offers={"env": {}},
        references=(
            Reference(name="erm", kind="low"),
            Reference(
                name="unbiased",
                kind="high",
                title="The null method trained on as many graphs of the test's base",
                solve="train_unbiased",
            ),
        ),
    )

    def splits(self, run: Setup) -> dict[str, Split]:
        """Draw all five."""
        kinds = {
            "train": TRAIN,
            "id_val": TRAIN,
            "id_test": TRAIN,
            "ood_val": VAL,
            "ood_test": TEST,
        }
        return {name: self.draw(run, name, bases) for name, bases in kinds.items()}

    def draw(self, run: Run, name: str, kinds: tuple[int, ...], stream: str = "") -> Split:
        """Draw one split: each base and motif as often as the others."""
        generator = run.numpy_generator("split", stream or name)
        motif, env = (balanced(self.count(name), kind, generator) for kind in (MOTIFS, len(kinds)))
        bases = about(WIDTH)
        drawn = draw(
            generator,
            list(GOOD_MOTIFS.values()),
            [bases[kind] for kind in kinds],
            motif,
            env,
            **self.noise(name),
        )
        return split_of(drawn, len(kinds), env=env)

    def train_unbiased(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the null method on as many graphs, as
        noisy, on the base of the OOD test.
        """
        return train_on(
            self.draw(run, "train", TEST, "unbiased"),
            self.draw(run, "id_val", TEST, "unbiased-val"),
            problem,
            hidden,
            run,
        )
