"""Noisy labels on CIFAR-100."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._cifar import FAST_ASYM, FAST_HUMAN, FAST_SYM, PAPER, CifarTask
from ._metrics import REFERENCES
from ._metrics_hundred import METRICS

SUPERCLASSES = (
    *(4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11, 6, 11, 5, 10, 7),
    *(6, 13, 15, 3, 15, 0, 11, 1, 10, 12, 14, 16, 9, 11, 5, 5, 19, 8, 8, 15, 13, 14, 17, 18, 10),
    *(16, 4, 17, 4, 2, 0, 17, 4, 18, 17, 10, 3, 2, 12, 12, 16, 12, 1, 9, 19, 2, 10, 0, 1, 16),
    *(12, 9, 13, 15, 13, 16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13),
)
"""The superclass of each of the hundred classes, as the data's ``coarse_label`` has it."""


def _next_of_kin() -> dict[int, int]:
    """Return for each class the next one of its superclass, the first after the last."""
    kin = {
        superclass: [c for c, found in enumerate(SUPERCLASSES) if found == superclass]
        for superclass in set(SUPERCLASSES)
    }
    return {
        c: members[(place + 1) % len(members)]
        for members in kin.values()
        for place, c in enumerate(members)
    }


class NoisyCifar100(CifarTask):
    """50,000 pictures of a hundred classes with corrupted labels, 10,000 clean ones to judge by."""

    card: ClassVar = TaskCard(
        name="noisy-cifar100",
        title="CIFAR-100 with corrupted training labels",
        track="noisy-labels",
        datasets=("cifar100",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"sym40": {"noise": "sym", "rate": 0.4}},
                params={
                    "net": "resnet18",
                    "channels": [4, 8],
                    "flip": True,
                    "crop": 4,
                    "n_train": 300,
                    "epochs": 2,
                    "lr": 0.02,
                },
                seeds=1,
                timeout=300,
            ),
            "paper": Preset(
                variants={
                    "fast-sym40": FAST_SYM,
                    "fast-asym40": FAST_ASYM,
                    "fast-human": FAST_HUMAN,
                    "paper-sym20": {
                        "noise": "sym_incl",
                        "rate": 0.2,
                        "schedule": "steps",
                        "milestones": [80, 120],
                        "gamma": 0.01,
                    },
                    "paper-sym40": {
                        "noise": "sym_incl",
                        "rate": 0.4,
                        "schedule": "steps",
                        "milestones": [80, 120],
                        "gamma": 0.01,
                    },
                    "paper-sym60": {
                        "noise": "sym_incl",
                        "rate": 0.6,
                        "schedule": "steps",
                        "milestones": [80, 120],
                        "gamma": 0.01,
                    },
                    "paper-sym80": {
                        "noise": "sym_incl",
                        "rate": 0.8,
                        "schedule": "steps",
                        "milestones": [80, 120],
                        "gamma": 0.01,
                    },
                    "paper-asym40": {
                        "noise": "asym",
                        "rate": 0.4,
                        "schedule": "steps",
                        "milestones": [80, 120],
                        "gamma": 0.01,
                    },
                    "paper-human": {
                        "noise": "human",
                        "n_train": 0,
                        "schedule": "steps",
                        "milestones": [80, 120],
                        "gamma": 0.01,
                    },
                },
                params=PAPER,
                seeds=3,
                timeout=43200,
            ),
        },
        test_set="official",
        budget="30 epochs of batch 256 (fast), 150 of batch 128 (paper); each net of a method "
        "costs its own passes",
        offers={"noise-rate": {}},
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "cifar100"
    people: ClassVar = "CIFAR-100_human.pt"
    confusions: ClassVar = _next_of_kin()

    def field(self) -> str:
        """Return the field of CIFAR-100N's file."""
        return "noisy_label"
