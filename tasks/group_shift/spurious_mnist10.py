"""MNIST digits in ten colours that go with the ten classes."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch

from bench import Metric, Preset, TaskCard
from bench.training.data import Examples

from ._metrics import (
    AS_TRAINED,
    BELIEVED,
    ECE,
    EPOCH,
    FEATURES,
    SCORE_VAL,
    SPURIOUS_REFERENCES,
    WGA_LAST,
    WGA_SHOWN,
)
from ._spurious import SpuriousTask

COLOURS = torch.tensor(
    [
        [1.0, 0.1, 0.1],
        [0.1, 0.9, 0.1],
        [0.2, 0.3, 1.0],
        [1.0, 0.9, 0.1],
        [0.9, 0.1, 0.9],
        [0.1, 0.9, 0.9],
        [1.0, 0.55, 0.1],
        [0.55, 0.3, 0.1],
        [0.6, 0.6, 0.6],
        [1.0, 0.6, 0.75],
    ]
)
"""Red, green and blue of each value of the attribute (10, 3)."""
SPREADS = {1: 0.05, 2: 0.02, 3: 0.01, 4: 0.005, 5: 0.002}
"""Severity of the bias -> standard deviation of a picture's colour."""


class SpuriousMnist10(SpuriousTask):
    """Every second pixel of MNIST digits, ten classes, in the colour of their class but for a few
    per cent.
    """

    card: ClassVar = TaskCard(
        name="spurious-mnist10",
        title="MNIST (5,000 digits), ten classes in ten colours",
        track="group-shift",
        datasets=("mnist5k",),
        metrics=(
            Metric(
                name="acc_groupmean",
                primary=True,
                unit="%",
                bounds=(0, 100),
                title="mean over groups of their accuracies, at the chosen epoch",
            ),
            WGA_SHOWN,
            WGA_LAST,
            *AS_TRAINED,
            ECE,
            *BELIEVED,
            *FEATURES,
            EPOCH,
            SCORE_VAL,
        ),
        presets={
            "smoke": Preset(
                variants={"conflict5": {"rho": 0.95}},
                params={"n_train": 300, "epochs": 3, "widths": [32]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"conflict2": {"rho": 0.98}}, seeds=5, timeout=300),
            "extended": Preset(
                variants={"conflict1": {"rho": 0.99}, "conflict5": {"rho": 0.95}},
                seeds=5,
                timeout=300,
            ),
        },
        budget="30 epochs of batch 128; what a method trains besides is its own cost",
        offers={"train-groups": {}, "val-groups": {}},
        tuning={"judged": "validation"},
        references=SPURIOUS_REFERENCES,
        paper="arXiv:2007.02561",
    )
    source: ClassVar = "mnist5k"
    classes: ClassVar = 10
    values: ClassVar = 10
    select: Literal["val-wga", "val-wca", "val-avg", "last"] = "val-avg"
    """What chooses the epoch; a group has about eight validation rows, too few for the worst."""
    severity: Literal[1, 2, 3, 4, 5] = 1
    """How little a picture's colour differs from that of its kind."""

    def label(self, y: np.ndarray) -> np.ndarray:
        """Return the digits."""
        return y.astype(np.int64)

    def pictures(self, data: Examples) -> torch.Tensor:
        """Return every second pixel (n, 1, 14, 14), on [0, 1]."""
        return data.x[:, :, ::2, ::2].float() / 255

    def marked(
        self, x: torch.Tensor, attribute: torch.Tensor, generator: np.random.Generator
    ) -> torch.Tensor:
        """Colour the digits, (n, 3, 14, 14)."""
        drawn = torch.from_numpy(generator.standard_normal((len(x), 3), np.float32))
        colour = (COLOURS[attribute] + SPREADS[self.severity] * drawn).clamp(0, 1)
        return x * colour[:, :, None, None]
