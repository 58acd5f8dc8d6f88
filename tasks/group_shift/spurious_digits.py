"""Small digits with a bright square whose place goes with the label."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from bench import Preset, TaskCard
from bench.training.data import Examples

from ._metrics import METRICS, SPURIOUS_REFERENCES
from ._spurious import SpuriousTask


class SpuriousDigits(SpuriousTask):
    """8x8 digits, 0-4 against 5-9; a bright square stands top left or bottom right."""

    card: ClassVar = TaskCard(
        name="spurious-digits",
        title="Digits 8x8 with a square whose place goes with the label",
        track="group-shift",
        datasets=("digits",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"rho95": {"rho": 0.95}},
                params={"n_train": 300, "epochs": 3, "widths": [32]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"rho95": {"rho": 0.95}}, seeds=5, timeout=120),
        },
        budget="30 epochs of batch 128; what a method trains besides is its own cost",
        offers={"train-groups": {}, "val-groups": {}},
        tuning={"judged": "validation"},
        references=SPURIOUS_REFERENCES,
    )
    source: ClassVar = "digits"

    def pictures(self, data: Examples) -> torch.Tensor:
        """Return the pictures (n, 1, 8, 8) on [0, 1]."""
        return data.x.float() / 16

    def marked(
        self, x: torch.Tensor, attribute: torch.Tensor, generator: np.random.Generator
    ) -> torch.Tensor:
        """Brighten two by two pixels, top left for 0 and bottom right for 1."""
        found = x.clone()
        found[attribute == 0, :, :2, :2] = 1.0
        found[attribute == 1, :, -2:, -2:] = 1.0
        return found
