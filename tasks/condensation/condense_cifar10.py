"""Condensing CIFAR-10."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, Reference, TaskCard

from ._hub import PAPER, SMOKE, HubTask
from ._task import METRICS


class CondenseCifar10(HubTask):
    """45,000 pictures of ten kinds of things, 32x32, in one, ten or fifty images a class; 10,000 to judge by.

    The data come from a local copy or the Hugging Face hub; without either the task is unavailable and says what to do.
    """

    card: ClassVar = TaskCard(
        name="condense-cifar10",
        title="CIFAR-10 in one, ten or fifty images a class",
        track="condensation",
        datasets=("cifar10",),
        metrics=METRICS,
        presets={
            "smoke": Preset(variants={"ipc1": {"ipc": 1}}, params=SMOKE, seeds=1, timeout=300),
            "paper": Preset(
                variants={"ipc1": {"ipc": 1}, "ipc10": {"ipc": 10}, "ipc50": {"ipc": 50}},
                params=PAPER,
                seeds=5,
                timeout=86400,
            ),
        },
        budget="ipc stored images a class; 10,000 changes of the images; 256 real images a class in each",
        references=(
            Reference(name="random", kind="low"),
            Reference(name="full-data", kind="high", title="All training images", solve="full_data"),
        ),
    )
    source: ClassVar = "cifar10"
    flips: ClassVar = True
