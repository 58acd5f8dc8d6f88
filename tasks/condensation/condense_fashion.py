"""Condensing Fashion-MNIST."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._hub import BUDGET, REFERENCES, HubTask
from ._metrics import METRICS


class CondenseFashion(HubTask):
    """5,000 pictures of clothing, or all 60,000, in one, ten or fifty images a class; 1,000 or
    10,000 to judge by.
    """

    card: ClassVar = TaskCard(
        name="condense-fashion",
        title="Fashion-MNIST in one, ten or fifty images a class",
        track="condensation",
        datasets=("fashion-mnist",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"ipc1": {"ipc": 1}},
                params={
                    "n_train": 400,
                    "n_test": 100,
                    "n_val": 100,
                    "updates": 3,
                    "epochs": 3,
                    "epochs_full": 1,
                    "nets": 2,
                    "width": 8,
                    "batch_real": 4,
                },
                seeds=1,
                timeout=300,
            ),
            "default": Preset(
                variants={"ipc1": {"ipc": 1}, "ipc10": {"ipc": 10}},
                params={
                    "width": 32,
                    "n_train": 5000,
                    "n_test": 1000,
                    "n_val": 500,
                    "nets": 1,
                    "epochs_full": 10,
                    "strategy": "",
                    "architectures": [],
                    "best": False,
                },
                seeds=5,
                timeout=1200,
            ),
            "extended": Preset(
                variants={"ipc1": {"ipc": 1}, "ipc10": {"ipc": 10}},
                params={
                    "width": 32,
                    "n_test": 1000,
                    "n_val": 500,
                    "epochs_full": 10,
                    "strategy": "",
                    "architectures": [],
                    "best": False,
                },
                seeds=3,
                timeout=7200,
            ),
            "paper": Preset(
                variants={
                    "dc-ipc1": {"ipc": 1, "updates": 1000},
                    "dc-ipc10": {"ipc": 10, "updates": 10000, "inner": 10, "net_epochs": 50},
                    "dc-ipc50": {"ipc": 50, "updates": 50000, "inner": 50, "net_epochs": 10},
                    "dsa-ipc1": {
                        "ipc": 1,
                        "updates": 1000,
                        "strategy": "color_crop_cutout_flip_scale_rotate",
                    },
                    "dsa-ipc10": {
                        "ipc": 10,
                        "updates": 10000,
                        "inner": 10,
                        "net_epochs": 50,
                        "strategy": "color_crop_cutout_flip_scale_rotate",
                    },
                    "dsa-ipc50": {
                        "ipc": 50,
                        "updates": 50000,
                        "inner": 50,
                        "net_epochs": 10,
                        "strategy": "color_crop_cutout_flip_scale_rotate",
                    },
                },
                params={
                    "n_val": 0,
                    "net_epochs": 1,
                    "batch_real": 256,
                    "nets": 20,
                    "nets_aug": 20,
                    "epochs": 301,
                    "epochs_aug": 1001,
                    "epochs_full": 100,
                    "strategy": "",
                    "architectures": [],
                    "anchors": False,
                    "best": False,
                },
                seeds=5,
                timeout=86400,
            ),
        },
        test_set="official",
        budget=BUDGET,
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "fashion-mnist"
    flips: ClassVar = True
