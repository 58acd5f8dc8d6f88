"""MNIST digits whose colour goes with the label."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from bench import Preset, TaskCard
from bench.training.data import Examples

from ._metrics import METRICS, SPURIOUS_REFERENCES
from ._spurious import SpuriousTask


class SpuriousMnist(SpuriousTask):
    """Every second pixel of MNIST digits, 0-4 against 5-9; one of two channels holds the digit."""

    card: ClassVar = TaskCard(
        name="spurious-mnist",
        title="MNIST (5,000 digits) in a colour that goes with the label",
        track="group-shift",
        datasets=("mnist5k",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"rho95": {"rho": 0.95}},
                params={"n_train": 300, "epochs": 3, "widths": [32]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"rho95": {"rho": 0.95}}, seeds=5, timeout=300),
            "extended": Preset(
                variants={
                    "rho99": {"rho": 0.99},
                    "noisy": {"rho": 0.95, "label_noise": 0.1},
                    "blind": {"rho": 0.95, "select": "val-wca"},
                },
                seeds=5,
                timeout=300,
            ),
        },
        budget="30 epochs of batch 128; what a method trains besides is its own cost",
        offers={"train-groups": {}, "val-groups": {}},
        tuning={"judged": "validation"},
        references=SPURIOUS_REFERENCES,
        paper="arXiv:1907.02893",
    )
    source: ClassVar = "mnist5k"

    def pictures(self, data: Examples) -> torch.Tensor:
        """Return every second pixel (n, 1, 14, 14), on [0, 1]."""
        return data.x[:, :, ::2, ::2].float() / 255

    def marked(
        self, x: torch.Tensor, attribute: torch.Tensor, generator: np.random.Generator
    ) -> torch.Tensor:
        """Draw the digit in the channel of its attribute alone, (n, 2, 14, 14)."""
        found = x.new_zeros(len(x), 2, *x.shape[2:])
        found[torch.arange(len(x)), attribute] = x[:, 0]
        return found
