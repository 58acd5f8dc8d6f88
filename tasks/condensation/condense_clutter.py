"""Condensing digits behind patterns that say nothing of the class."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from bench import Meta, Preset, Reference, Setup, TaskCard

from ._metrics import METRICS
from ._task import CondensationTask

PATTERN_SEED = 12345
"""The clutter is part of the data: it is the same for every seed, and
seeds draw which of the cluttered images are test images.
"""


class CondenseClutter(CondensationTask):
    """Digits of 8x8 at half strength, with four fixed smooth patterns of random weight and noise
    laid over them.

    Most of the variance is shared by all classes: what the contrastive signal of DCC is meant to
    cancel.
    """

    card: ClassVar = TaskCard(
        name="condense-clutter",
        title="Digits (8x8) behind clutter, in few images a class",
        track="condensation",
        datasets=("digits",),
        metrics=METRICS,
        libraries=("scipy",),
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
                variants={"weak": {"amplitude": 0.15}, "strong": {"amplitude": 0.4}},
                seeds=10,
                timeout=600,
            ),
        },
        budget="ipc stored images a class; 120 changes of the images; 32 real images a class in "
        "each",
        tuning={"holdout": 0.2},
        references=(
            Reference(name="random", kind="low"),
            Reference(
                name="full-data", kind="high", title="All training images", solve="full_data"
            ),
        ),
    )
    source: ClassVar = "digits"
    amplitude: Annotated[float, Meta(ge=0)] = 0.15
    """Strength of the patterns."""

    def images(self, run: Setup) -> tuple[torch.Tensor, torch.Tensor, int]:
        """Return 0.5 digit + amplitude sum_k c_k P_k + 0.2 noise of standardised digits, brought to
        [0, 1]; the clutter is the same for every seed.
        """
        digits, y, classes = super().images(run)
        cluttered = clutter(
            digits.cpu().numpy(), self.amplitude, np.random.Generator(np.random.PCG64(PATTERN_SEED))
        )
        return torch.from_numpy(cluttered).to(digits.device), y, classes


def clutter(
    digits: np.ndarray, amplitude: float, generator: np.random.Generator, patterns: int = 4
) -> np.ndarray:
    """Return images (N, 1, h, w), float32 in [0, 1]: each pattern has a smooth random shape of
    variance 1 and a weight from N(+-1, 1) an image.

    Digits have variance 1 too, so strengths are comparable: 0.5 of digit stands against amplitude
    sqrt(2 patterns) of clutter and 0.2 of noise.
    """
    shape = digits.shape[-2:]
    digits = (digits - digits.mean()) / digits.std()
    smooth = np.stack(
        [
            gaussian_filter(generator.standard_normal(shape), 1.5, mode="wrap")
            for _ in range(patterns)
        ]
    )
    smooth = (smooth - smooth.mean((1, 2), keepdims=True)) / smooth.std((1, 2), keepdims=True)
    weights = generator.choice([-1.0, 1.0], (len(digits), patterns)) + generator.standard_normal(
        (len(digits), patterns)
    )
    laid = np.einsum("nk,khw->nhw", weights, smooth)[:, None]
    mixed = 0.5 * digits + amplitude * laid + 0.2 * generator.standard_normal(digits.shape)
    return ((mixed - mixed.min()) / (mixed.max() - mixed.min())).astype(np.float32)
