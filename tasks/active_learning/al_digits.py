"""Digits whose labels are asked for."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from bench import Meta, Preset, Setup, TaskCard
from bench.training.data import standardised

from ._digits import digits, fewer, teacher
from ._metrics import CLASSES, REFERENCES
from ._task import ActiveTask, Pool


class AlDigits(ActiveTask):
    """A pool of 1,438 digits, of which 20 are known and 140 may be asked; 359 to judge by."""

    card: ClassVar = TaskCard(
        name="al-digits",
        title="Digits whose labels are asked for",
        track="active-learning",
        datasets=("digits",),
        libraries=("sklearn",),
        metrics=CLASSES,
        presets={
            "smoke": Preset(
                variants={"clean": {}},
                params={"n_pool": 200, "budget": 20, "batch": 10, "steps": 15},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "clean": {},
                    "imbalance": {"falling": 0.7},
                    "teacher": {"answers": "teacher"},
                },
                seeds=5,
                timeout=300,
            ),
        },
        budget="7 rounds of 20 labels; a training takes 120 steps of at most 64 known rows",
        offers={"classes": {}},
        references=REFERENCES,
        clock_arrays=("asked_s",),
    )
    n_pool: Annotated[int, Meta(ge=0)] = 0
    """Rows of the pool, drawn class by class; 0: all."""
    falling: Annotated[float, Meta(gt=0, le=1)] = 1.0
    """Class c keeps this share to the power of c of its rows in the pool."""
    answers: Literal["labels", "teacher"] = "labels"
    """``teacher``: the oracle says the probabilities of a small net fitted to 80 rows."""

    def pool(self, run: Setup) -> Pool:
        """Return the digits, those of later classes rarer where that is asked for."""
        data = digits(run, self.n_pool)
        x, y = data.x, data.y
        if self.falling < 1:
            kept = fewer(y, self.falling, run.numpy_generator("corruption", "falling"))
            x, y = x[kept], y[kept]
        own, other = standardised(x, data.x_test)
        answers, stranger = y, None
        if self.answers == "teacher":
            answers = teacher(own, y, 80, run)
            stranger = answers.argmax(1) != y
        return Pool(
            x=own,
            answers=answers,
            true=y,
            x_test=other,
            y_test=data.y_test,
            stranger=stranger,
            shown=x,
        )
