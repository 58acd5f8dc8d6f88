"""Condensing CIFAR-100."""

from __future__ import annotations

from typing import ClassVar

from bench import TaskCard

from ._hub import BUDGET, PRESETS, REFERENCES, HubTask
from ._metrics import METRICS


class CondenseCifar100(HubTask):
    """45,000 pictures of a hundred kinds of things, 32x32, in one, ten or fifty images a class;
    10,000 to judge by.

    The data come from a local copy or the Hugging Face hub; without either the task is unavailable
    and says what to do.
    """

    card: ClassVar = TaskCard(
        name="condense-cifar100",
        title="CIFAR-100 in one, ten or fifty images a class",
        track="condensation",
        datasets=("cifar100",),
        metrics=METRICS,
        presets=PRESETS,
        test_set="official",
        budget=BUDGET,
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "cifar100"
    flips: ClassVar = True
