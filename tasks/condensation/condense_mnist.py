"""Condensing five thousand MNIST digits."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, Preset, Reference, TaskCard

from ._metrics import METRICS
from ._task import CondensationTask


class CondenseMnist(CondensationTask):
    """3,600 MNIST digits, 28x28 or averaged to 14x14, in one or ten images
    a class; 1,000 to judge by, 400 to fit temperatures on.
    """

    card: ClassVar = TaskCard(
        name="condense-mnist",
        title="MNIST (5,000 digits) in one or ten images a class",
        track="condensation",
        datasets=("mnist5k",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"ipc1": {"ipc": 1}},
                params={
                    "n_train": 300,
                    "updates": 5,
                    "inner": 2,
                    "epochs": 10,
                    "epochs_full": 2,
                    "nets": 2,
                    "width": 8,
                },
                seeds=1,
                timeout=60,
            ),
            "extended": Preset(
                variants={
                    "ipc1-14": {"ipc": 1},
                    "ipc10-14": {"ipc": 10},
                    "ipc1-28": {"ipc": 1, "pool": 1},
                    "ipc10-28": {"ipc": 10, "pool": 1},
                },
                params={"epochs_full": 20},
                seeds=3,
                timeout=3600,
            ),
            "paper": Preset(
                variants={
                    "ipc1": {
                        "ipc": 1,
                        "epochs": 301,
                        "updates": 1000,
                        "inner": 1,
                        "net_epochs": 1,
                    },
                    "ipc10": {
                        "ipc": 10,
                        "epochs": 301,
                        "updates": 10000,
                        "inner": 10,
                        "net_epochs": 50,
                    },
                },
                params={
                    "pool": 1,
                    "width": 128,
                    "batch_real": 256,
                    "nets": 20,
                    "nets_aug": 20,
                    "epochs_full": 100,
                    "architectures": ["mlp", "resnet", "vit"],
                },
                seeds=5,
                timeout=36000,
            ),
        },
        budget="ipc stored images a class; 120 changes of the images (paper: 1,000 or "
        "10,000); 32 real images a class in each (256)",
        tuning={"holdout": 0.2},
        references=(
            Reference(name="random", kind="low"),
            Reference(
                name="full-data", kind="high", title="All training images", solve="full_data"
            ),
        ),
    )
    source: ClassVar = "mnist5k"
    pool: Annotated[int, Meta(ge=1)] = 2
    """Average pixels over squares of this side first."""
    depth: Annotated[int, Meta(ge=1)] = 3
    """Blocks of the ConvNet."""
