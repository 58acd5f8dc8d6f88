"""Forget rows of Fashion-MNIST drawn at random."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from bench import Meta, Preset, Reference, TaskCard

from ._metrics import METRICS
from .unlearn_random import UnlearnRandom


class UnlearnFashion(UnlearnRandom):
    """Forget a tenth of 10,000 pictures of clothing, or of 58,000, drawn at random."""

    card: ClassVar = TaskCard(
        name="unlearn-fashion",
        title="Forget random rows of Fashion-MNIST",
        track="unlearning-privacy",
        datasets=("fashion-mnist",),
        libraries=("scipy", "sklearn"),
        clock_arrays=("rte",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"ten": {}},
                params={
                    "n_train": 600,
                    "n_val": 200,
                    "n_pool": 400,
                    "widths": [64, 64],
                    "epochs": 10,
                    "share": 1 / 6,
                },
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"ten": {}}, seeds=3, timeout=900),
            "extended": Preset(
                variants={"ten": {"n_train": 58000, "originals": 8}}, seeds=3, timeout=7200
            ),
        },
        test_set="official",
        budget="what retraining costs; rte says how much of it was used",
        tuning={"rehearse": True},
        references=(Reference(name="original", kind="low"), Reference(name="retrain", kind="high")),
        paper="arXiv:2403.01218",
    )

    data: Literal["fashion-mnist"] = "fashion-mnist"
    """Dataset."""
    n_train: Annotated[int, Meta(ge=10)] = 10000
    """Training rows."""
    originals: Annotated[int, Meta(ge=3)] = 4
    """The original models, each to be unlearned, and as many retrained ones to compare with."""
