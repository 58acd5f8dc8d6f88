"""Sets of GOOD with its own splits and environments."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np

from bench import Preset, Reference, Setup, TaskCard

from ._file_task import FULL, SHORT, FileTask
from ._motif_task import GOOD
from ._scores import ACCURACIES, AUCS

REFERENCES = (Reference(name="erm", kind="low"),)
NAMES = ("train", "id_val", "id_test", "ood_val", "ood_test")


class _OwnSplits(FileTask):
    """GOOD's five parts as they are; a task names its set, and in ``domain`` what shifts."""

    source: ClassVar = "good"
    subset: ClassVar[str]
    shift: Literal["covariate", "concept"] = "covariate"
    """Whether test graphs come from environments that training has not, or
    from the same with another relation to the label.
    """

    def ask(self) -> dict[str, Any]:
        """Name set, domain and shift."""
        return {"subset": self.subset, "domain": self.domain, "shift": self.shift}

    def rows(self, data: Any, run: Setup) -> dict[str, np.ndarray]:
        """Take the parts."""
        part = data.part.cpu().numpy()
        return {name: np.flatnonzero(part == number) for number, name in enumerate(NAMES)}


class GoodMotif(_OwnSplits):
    """GOOD-Motif as its authors drew it: 30,000 graphs, a motif for the
    label, a base or a size that shifts.
    """

    card: ClassVar = TaskCard(
        name="good-motif",
        title="GOOD-Motif, its own files",
        track="graph-ood",
        datasets=("good",),
        libraries=("torch_geometric",),
        paper="arXiv:2206.08452",
        bibtex=GOOD,
        metrics=ACCURACIES,
        presets={
            "smoke": Preset(
                variants={"basis-covariate": {"domain": "basis", "shift": "covariate"}},
                params=SHORT,
                seeds=1,
                timeout=600,
            ),
            "paper": Preset(
                variants={
                    "basis-covariate": {"domain": "basis", "shift": "covariate"},
                    "basis-concept": {"domain": "basis", "shift": "concept"},
                    "size-covariate": {"domain": "size", "shift": "covariate"},
                    "size-concept": {"domain": "size", "shift": "concept"},
                },
                params={
                    "hidden": 300,
                    "dropout": 0.5,
                    "lr": 0.001,
                    "epochs": 200,
                    "decay_at": 150,
                    "batch_size": 32,
                },
                seeds=10,
                timeout=36000,
            ),
        },
        test_set="official",
        budget="200 epochs of batch 32",
        offers={"env": {}},
        references=REFERENCES,
    )
    subset: ClassVar = "GOODMotif"
    domain: Literal["basis", "size"] = "basis"
    """What shifts."""


class GoodHiv(_OwnSplits):
    """Does a molecule inhibit HIV? Scaffolds or sizes shift."""

    card: ClassVar = TaskCard(
        name="good-hiv",
        title="GOOD-HIV, its own files",
        track="graph-ood",
        datasets=("good",),
        libraries=("torch_geometric",),
        paper="arXiv:2206.08452",
        bibtex=GOOD,
        metrics=AUCS,
        presets={
            "smoke": Preset(
                variants={"scaffold-covariate": {"domain": "scaffold", "shift": "covariate"}},
                params=SHORT,
                seeds=1,
                timeout=600,
            ),
            "paper": Preset(
                variants={
                    "scaffold-covariate": {"domain": "scaffold", "shift": "covariate"},
                    "scaffold-concept": {"domain": "scaffold", "shift": "concept"},
                    "size-covariate": {"domain": "size", "shift": "covariate"},
                    "size-concept": {"domain": "size", "shift": "concept"},
                },
                params=FULL,
                seeds=10,
                timeout=36000,
            ),
        },
        test_set="official",
        budget="100 epochs of batch 32",
        offers={"env": {}},
        references=REFERENCES,
    )
    subset: ClassVar = "GOODHIV"
    domain: Literal["scaffold", "size"] = "scaffold"
    """What shifts."""
