"""Condensing CIFAR-10."""

from __future__ import annotations

from typing import ClassVar

from bench import TaskCard

from ._hub import BUDGET, PRESETS, REFERENCES, HubTask
from ._metrics import METRICS


class CondenseCifar10(HubTask):
    """45,000 pictures of ten kinds of things, 32x32, in one, ten or fifty images a class; 10,000 to
    judge by.

    The data come from a local copy or the Hugging Face hub; without either the task is unavailable
    and says what to do.
    """

    card: ClassVar = TaskCard(
        name="condense-cifar10",
        title="CIFAR-10 in one, ten or fifty images a class",
        track="condensation",
        datasets=("cifar10",),
        metrics=METRICS,
        presets=PRESETS,
        test_set="official",
        budget=BUDGET,
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "cifar10"
    flips: ClassVar = True
