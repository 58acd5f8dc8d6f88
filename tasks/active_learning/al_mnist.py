"""MNIST digits whose labels are asked for."""

from __future__ import annotations

from typing import Annotated, ClassVar

from torch.nn import functional as F

from bench import Meta, Preset, Setup, TaskCard
from bench.training.data import standardised

from ._digits import split
from ._metrics import CLASSES, REFERENCES
from ._task import ActiveTask, Pool


class AlMnist(ActiveTask):
    """A pool of 4,000 digits of 14x14 pixels, of which 50 are known and 300 may be asked; 1,000 to
    judge by.
    """

    card: ClassVar = TaskCard(
        name="al-mnist",
        title="MNIST digits whose labels are asked for",
        track="active-learning",
        datasets=("mnist5k",),
        metrics=CLASSES,
        presets={
            "smoke": Preset(
                variants={"clean": {}},
                params={"n_pool": 200, "start": 20, "budget": 20, "batch": 10, "steps": 15},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"clean": {}},
                params={"start": 50, "batch": 50, "budget": 300},
                seeds=5,
                timeout=300,
            ),
        },
        budget="6 rounds of 50 labels; a training takes 120 steps of at most 64 known rows",
        offers={"classes": {}},
        references=REFERENCES,
        clock_arrays=("asked_s",),
    )
    n_pool: Annotated[int, Meta(ge=0)] = 0
    """Rows of the pool, drawn class by class; 0: all."""

    def pool(self, run: Setup) -> Pool:
        """Return the digits at half their size."""
        found = run.dataset("mnist5k")
        small = F.avg_pool2d(found.x.float() / 255, 2)
        data = split(small, found.y, 1000, self.n_pool, run)
        own, other = standardised(data.x, data.x_test)
        return Pool(
            x=own, answers=data.y, true=data.y, x_test=other, y_test=data.y_test, shown=data.x
        )
