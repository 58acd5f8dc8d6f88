"""Condensing digits of which some are wrongly labelled."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
import torch

from bench import Meta, Preset, Reference, Setup, TaskCard

from ._metrics import METRICS
from ._task import CondensationTask

LOOK_ALIKES = {7: 1, 2: 7, 5: 6, 6: 5, 3: 8}
"""Where asymmetric noise moves a digit."""


class CondenseNoisy(CondensationTask):
    """Digits of 8x8 whose training labels are partly wrong; validation and
    test labels are right.
    """

    card: ClassVar = TaskCard(
        name="condense-noisy",
        title="Digits (8x8) with wrong labels, in few images a class",
        track="condensation",
        datasets=("digits",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"sym40": {"noise": "sym", "rate": 0.4}},
                params={
                    "n_train": 300,
                    "updates": 5,
                    "inner": 2,
                    "epochs": 10,
                    "epochs_full": 2,
                    "nets": 2,
                    "width": 8,
                    "strategy": "",
                },
                seeds=1,
                timeout=60,
            ),
            "extended": Preset(
                variants={
                    "sym20": {"noise": "sym", "rate": 0.2},
                    "sym40": {"noise": "sym", "rate": 0.4},
                    "asym20": {"noise": "asym", "rate": 0.2},
                    "asym40": {"noise": "asym", "rate": 0.4},
                },
                params={"ipc": 10},
                seeds=3,
                timeout=600,
            ),
        },
        budget="ipc stored images a class; 120 changes of the images; 32 real images a class in "
        "each",
        tuning={"holdout": 0.2},
        references=(
            Reference(name="random", kind="low"),
            Reference(
                name="full-data",
                kind="high",
                title="All training images, with the labels as given",
                solve="full_data",
            ),
        ),
    )
    source: ClassVar = "digits"
    noise: Literal["sym", "asym"] = "sym"
    """Uniformly to another class, or to the look-alike of the confused digits."""
    rate: Annotated[float, Meta(ge=0, le=1)] = 0.4
    """Share of each (confused) class that moves."""

    def given(self, y: torch.Tensor, classes: int, run: Setup) -> torch.Tensor:
        """Return the labels with exactly round(rate n_c) of each class moved."""
        found = flipped(
            y.cpu().numpy(),
            self.noise,
            self.rate,
            classes,
            run.numpy_generator("corruption", self.noise),
        )
        return torch.from_numpy(found).to(y.device)


def flipped(
    y: np.ndarray, noise: str, rate: float, classes: int, generator: np.random.Generator
) -> np.ndarray:
    """Return labels (N,) of which round(rate n_c) of each class are wrong;
    under ``asym`` of the confused classes alone.
    """
    found = y.astype(np.int64).copy()
    for c in range(classes):
        rows = generator.permutation(np.flatnonzero(y == c))
        rows = rows[: round(rate * len(rows))]
        if noise == "sym":
            found[rows] = (c + generator.integers(1, classes, len(rows))) % classes
        elif c in LOOK_ALIKES:
            found[rows] = LOOK_ALIKES[c]
    return found
