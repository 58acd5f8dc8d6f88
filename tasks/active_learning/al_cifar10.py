"""CIFAR-10, whose labels are asked for, at the size of the papers."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, Preset, Setup, TaskCard

from ._metrics import CLASSES, REFERENCES
from ._official import official
from ._task import ActiveTask, Pool


class AlCifar10(ActiveTask):
    """A pool of 50,000 pictures, of which 1,000 are known and 9,000 may be asked; 10,000 test
    rows.
    """

    card: ClassVar = TaskCard(
        name="al-cifar10",
        title="CIFAR-10, whose labels are asked for",
        track="active-learning",
        datasets=("cifar10",),
        metrics=CLASSES,
        presets={
            "smoke": Preset(
                variants={"clean": {}},
                params={
                    "n_pool": 200,
                    "budget": 20,
                    "batch": 10,
                    "steps": 15,
                    "net": "cnn",
                    "widths": [4, 8],
                },
                seeds=1,
                timeout=60,
            ),
            "paper": Preset(
                variants={"clean": {}},
                params={
                    "start": 1000,
                    "batch": 1000,
                    "budget": 9000,
                    "net": "resnet18",
                    "widths": [],
                    "steps": 10000,
                    "batch_size": 128,
                },
                seeds=3,
                timeout=172800,
            ),
        },
        test_set="official",
        budget="9 rounds of 1,000 labels; a training takes 10,000 steps of 128 known rows",
        offers={"classes": {}},
        references=REFERENCES,
        clock_arrays=("asked_s",),
    )
    n_pool: Annotated[int, Meta(ge=0)] = 0
    """Rows of the pool, drawn class by class; 0: all."""

    def pool(self, run: Setup) -> Pool:
        """Return training rows and the data's own test rows."""
        return official(run, "cifar10", self.n_pool, by_channel=True)
