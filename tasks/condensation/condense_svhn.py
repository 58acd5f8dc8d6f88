"""Condensing SVHN."""

from __future__ import annotations

from typing import ClassVar

from bench import TaskCard

from ._hub import BUDGET, PRESETS, REFERENCES, HubTask
from ._metrics import METRICS


class CondenseSvhn(HubTask):
    """65,932 house numbers of 32x32, in one, ten or fifty images a class; 26,032 to judge by.

    The data come from a local copy or the Hugging Face hub; without either the task is unavailable
    and says what to do.
    """

    card: ClassVar = TaskCard(
        name="condense-svhn",
        title="SVHN in one, ten or fifty images a class",
        track="condensation",
        datasets=("svhn",),
        metrics=METRICS,
        presets=PRESETS,
        test_set="official",
        budget=BUDGET,
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "svhn"
    flips: ClassVar = False
