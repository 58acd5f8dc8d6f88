"""Forget rows drawn at random."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Preset, Reference, Setup, TaskCard
from bench.tracks.unlearning import Problem

from ._data import Data
from ._metrics import METRICS
from ._task import UnlearningTask


class UnlearnRandom(UnlearningTask):
    """Forget a tenth of the training rows, drawn at random."""

    card: ClassVar = TaskCard(
        name="unlearn-random",
        title="Forget random rows",
        track="unlearning-privacy",
        datasets=("digits", "mnist5k", "cifar10", "cifar100", "svhn"),
        libraries=("scipy", "sklearn"),
        clock_arrays=("rte",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"ten": {}},
                params={
                    "data": "digits",
                    "n_train": 600,
                    "n_val": 200,
                    "n_pool": 400,
                    "widths": [64, 64],
                    "epochs": 30,
                    "batch_size": 32,
                    "originals": 4,
                    "share": 1 / 6,
                },
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"ten": {}}, seeds=3, timeout=300),
            "shares": Preset(
                variants={
                    "one": {"share": 0.01},
                    "five": {"share": 0.05},
                    "twenty": {"share": 0.2},
                    "half": {"share": 0.5},
                },
                seeds=3,
                timeout=300,
            ),
            "convolution": Preset(
                variants={"cnn": {"net": "cnn", "widths": [8, 16]}}, seeds=3, timeout=3600
            ),
            "paper": Preset(
                variants={
                    "cifar10": {"data": "cifar10"},
                    "cifar100": {"data": "cifar100"},
                    "svhn": {"data": "svhn"},
                },
                params={
                    "noise": 0.0,
                    "n_train": 40000,
                    "n_val": 2000,
                    "n_pool": 4000,
                    "net": "resnet18",
                    "widths": [],
                    "epochs": 60,
                    "batch_size": 256,
                    "lr": 0.1,
                    "weight_decay": 0.0005,
                },
                seeds=1,
                timeout=43200,
            ),
            "hard": Preset(variants={"ten": {"noise": 0.0}}, seeds=3, timeout=300),
        },
        budget="what retraining costs; rte says how much of it was used",
        tuning={"rehearse": True},
        references=(Reference(name="original", kind="low"), Reference(name="retrain", kind="high")),
        paper="arXiv:2403.01218",
    )

    share: Annotated[float, Meta(gt=0, lt=1)] = 0.1
    """Share of the training rows to forget."""

    def forget_rows(self, run: Setup, data: Data, problem: Problem) -> torch.Tensor:
        """Draw them."""
        forget = torch.zeros(len(data.y), dtype=torch.bool)
        forget[
            torch.from_numpy(
                run.numpy_generator("split", "forget").permutation(len(data.y))[
                    : round(self.share * len(data.y))
                ]
            )
        ] = True
        return forget.to(data.y.device)
