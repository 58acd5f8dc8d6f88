"""Noisy labels on CIFAR-10."""

from __future__ import annotations

from typing import ClassVar, Literal

from bench import Preset, TaskCard

from ._cifar import FAST_ASYM, FAST_HUMAN, FAST_PAIR, FAST_SYM, PAPER, CifarTask
from ._metrics import METRICS, REFERENCES


class NoisyCifar10(CifarTask):
    """50,000 pictures with corrupted labels, 10,000 clean ones to judge by."""

    card: ClassVar = TaskCard(
        name="noisy-cifar10",
        title="CIFAR-10 with corrupted training labels",
        track="noisy-labels",
        datasets=("cifar10",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"sym40": {"noise": "sym", "rate": 0.4}},
                params={
                    "net": "resnet18",
                    "channels": [4, 8],
                    "flip": True,
                    "crop": 4,
                    "n_train": 200,
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
                    "fast-pair45": FAST_PAIR,
                    "fast-worse": FAST_HUMAN,
                    "paper-sym20": {
                        "noise": "sym_incl",
                        "rate": 0.2,
                        "schedule": "restarts",
                        "lr_min": 0.001,
                    },
                    "paper-sym40": {
                        "noise": "sym_incl",
                        "rate": 0.4,
                        "schedule": "restarts",
                        "lr_min": 0.001,
                    },
                    "paper-sym60": {
                        "noise": "sym_incl",
                        "rate": 0.6,
                        "schedule": "restarts",
                        "lr_min": 0.001,
                    },
                    "paper-sym80": {
                        "noise": "sym_incl",
                        "rate": 0.8,
                        "schedule": "restarts",
                        "lr_min": 0.001,
                    },
                    "paper-asym40": {
                        "noise": "asym",
                        "rate": 0.4,
                        "epochs": 120,
                        "schedule": "steps",
                        "milestones": [40, 80],
                        "gamma": 0.01,
                    },
                    "paper-aggre": {
                        "noise": "human",
                        "people_said": "aggre",
                        "n_train": 0,
                        "schedule": "restarts",
                        "lr_min": 0.001,
                    },
                    "paper-rand1": {
                        "noise": "human",
                        "people_said": "rand1",
                        "n_train": 0,
                        "schedule": "restarts",
                        "lr_min": 0.001,
                    },
                    "paper-worse": {
                        "noise": "human",
                        "people_said": "worse",
                        "n_train": 0,
                        "schedule": "restarts",
                        "lr_min": 0.001,
                    },
                },
                params=PAPER,
                seeds=3,
                timeout=43200,
            ),
        },
        test_set="official",
        budget="30 epochs of batch 256 (fast), 120 or 150 of batch 128 (paper); each net of a "
        "method costs its own passes",
        offers={"noise-rate": {}},
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "cifar10"
    people: ClassVar = "CIFAR-10_human.pt"
    confusions: ClassVar = {9: 1, 2: 0, 3: 5, 5: 3, 4: 7}

    people_said: Literal["aggre", "rand1", "rand2", "rand3", "worse"] = "worse"
    """Whose labels noise ``human`` takes: the majority of three people, one of them, or a wrong one
    wherever anybody was wrong (CIFAR-10N).
    """

    def field(self) -> str:
        """Return the field of CIFAR-10N's file."""
        return {"aggre": "aggre_label", "worse": "worse_label"}.get(
            self.people_said, f"random_label{self.people_said[-1]}"
        )
