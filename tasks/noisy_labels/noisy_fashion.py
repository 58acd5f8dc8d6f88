"""Noisy labels on Fashion-MNIST."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._fashion import FashionTask
from ._metrics import REFERENCES
from ._metrics_real import FASHION


class NoisyFashion(FashionTask):
    """10,000 pictures of clothing, or all 60,000, with corrupted labels; 10,000 clean ones to judge
    by.
    """

    card: ClassVar = TaskCard(
        name="noisy-fashion",
        title="Fashion-MNIST with corrupted training labels",
        track="noisy-labels",
        datasets=("fashion-mnist",),
        metrics=FASHION,
        presets={
            "smoke": Preset(
                variants={"sym40": {"noise": "sym", "rate": 0.4}},
                params={"n_train": 300, "epochs": 3, "lr": 0.02},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "sym40": {"noise": "sym", "rate": 0.4},
                    "asym40": {"noise": "asym", "rate": 0.4},
                    "idn40": {"noise": "idn", "rate": 0.4},
                    "clean": {"noise": "sym", "rate": 0.0},
                },
                params={"n_train": 10000, "epochs": 20, "lr": 0.02},
                seeds=5,
                timeout=600,
            ),
            "extended": Preset(
                variants={
                    "sym40": {"noise": "sym", "rate": 0.4},
                    "asym40": {"noise": "asym", "rate": 0.4},
                    "idn40": {"noise": "idn", "rate": 0.4},
                    "clean": {"noise": "sym", "rate": 0.0},
                    "look40": {"noise": "asym", "rate": 0.4, "confused": "look-alikes"},
                    "cnn-sym40": {
                        "noise": "sym",
                        "rate": 0.4,
                        "net": "cnn",
                        "channels": [16, 32],
                        "n_train": 10000,
                    },
                    "cnn-asym40": {
                        "noise": "asym",
                        "rate": 0.4,
                        "net": "cnn",
                        "channels": [16, 32],
                        "n_train": 10000,
                    },
                    "cnn-idn40": {
                        "noise": "idn",
                        "rate": 0.4,
                        "net": "cnn",
                        "channels": [16, 32],
                        "n_train": 10000,
                    },
                    "cnn-clean": {
                        "noise": "sym",
                        "rate": 0.0,
                        "net": "cnn",
                        "channels": [16, 32],
                        "n_train": 10000,
                    },
                },
                params={"epochs": 20, "lr": 0.02},
                seeds=3,
                timeout=3600,
            ),
            "paper": Preset(
                variants={
                    "idn20": {"noise": "idn", "rate": 0.2},
                    "idn30": {"noise": "idn", "rate": 0.3},
                    "idn40": {"noise": "idn", "rate": 0.4},
                    "idn45": {"noise": "idn", "rate": 0.45},
                    "idn50": {"noise": "idn", "rate": 0.5},
                    "sym20": {"noise": "sym", "rate": 0.2},
                    "sym40": {"noise": "sym", "rate": 0.4},
                    "sym60": {"noise": "sym", "rate": 0.6},
                    "asym20": {"noise": "asym", "rate": 0.2},
                    "asym40": {"noise": "asym", "rate": 0.4},
                },
                params={
                    "net": "resnet18",
                    "epochs": 150,
                    "lr": 0.01,
                    "weight_decay": 0.0001,
                },
                seeds=3,
                timeout=43200,
            ),
        },
        test_set="official",
        budget="20 epochs of batch 128 (paper: 150); each net of a method costs its own passes",
        offers={"noise-rate": {}},
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
