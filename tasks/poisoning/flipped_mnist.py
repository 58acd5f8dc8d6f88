"""Digits of which a part has wrong labels, and a net that fits them."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, Preset, Run, TaskCard
from bench.training import triggers
from bench.training.poison import Poisoned

from ._metrics import ACC, OTHERS, REFERENCES
from ._task import PoisoningTask


class FlippedMnist(PoisoningTask):
    """300 or 1,500 digits to train on, a quarter of them with a label drawn among the others."""

    card: ClassVar = TaskCard(
        name="flipped-mnist",
        title="MNIST digits (14x14) with flipped labels",
        track="poisoning",
        datasets=("mnist5k",),
        metrics=(ACC, *OTHERS),
        presets={
            "smoke": Preset(
                variants={"n200": {"n_train": 200}},
                params={"epochs": 3, "widths": [32]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"n300": {"n_train": 300}, "n1500": {"n_train": 1500}},
                seeds=5,
                timeout=300,
            ),
        },
        budget="10 epochs of batch 64",
        offers={"poison-rate": {}},
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )

    rate: Annotated[float, Meta(ge=0, le=1)] = 0.25
    """Share of the training rows whose label is drawn anew."""

    @property
    def recipe(self) -> dict[str, Any]:
        """What the attack depends on."""
        return {"rate": self.rate}

    @property
    def told(self) -> dict[str, float]:
        """The share of wrong labels."""
        return {"poison_rate": self.rate}

    def attack(self, x: torch.Tensor, y: torch.Tensor, run: Run) -> Poisoned:
        """Draw labels anew."""
        return triggers.flipped(x, y, 10, self.rate, run)
