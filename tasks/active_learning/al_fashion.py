"""Articles of clothing whose labels are asked for."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, Preset, Setup, TaskCard

from ._metrics import CLASSES, REFERENCES
from ._official import official
from ._task import ActiveTask, Pool


class AlFashion(ActiveTask):
    """A pool of 10,000 articles, of which 100 are known and 600 may be asked; 10,000 test rows."""

    card: ClassVar = TaskCard(
        name="al-fashion",
        title="Fashion-MNIST, whose labels are asked for",
        track="active-learning",
        datasets=("fashion-mnist",),
        metrics=CLASSES,
        presets={
            "smoke": Preset(
                variants={"clean": {}},
                params={"n_pool": 200, "budget": 20, "batch": 10, "steps": 15},
                seeds=1,
                timeout=60,
            ),
            "extended": Preset(
                variants={"clean": {}},
                params={
                    "n_pool": 10000,
                    "start": 100,
                    "batch": 100,
                    "budget": 600,
                    "steps": 400,
                    "widths": [256],
                },
                seeds=5,
                timeout=600,
            ),
        },
        test_set="official",
        budget="6 rounds of 100 labels; a training takes 400 steps of 64 known rows",
        offers={"classes": {}},
        references=REFERENCES,
        clock_arrays=("asked_s",),
    )
    n_pool: Annotated[int, Meta(ge=0)] = 0
    """Rows of the pool, drawn class by class; 0: all."""

    def pool(self, run: Setup) -> Pool:
        """Return training rows and the data's own test rows."""
        return official(run, "fashion-mnist", self.n_pool)
