"""Pictures that show nothing of the tasks' classes: pieces of two photographs of scikit-learn."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

SIDE = 28
"""Pixels of a piece."""


def patches(count: int, generator: np.random.Generator) -> torch.Tensor:
    """Return ``count`` grey pieces (count, 1, 28, 28), each stretched to [0, 1]."""
    from sklearn.datasets import load_sample_images

    photographs = [
        # every second pixel: pieces show more than one leaf or tile
        F.avg_pool2d(torch.from_numpy(image.copy()).float().mean(-1)[None, None], 2)[0, 0]
        for image in load_sample_images().images
    ]
    found = []
    for which in generator.integers(0, len(photographs), count):
        picture = photographs[which]
        top, left = (int(generator.integers(0, size - SIDE + 1)) for size in picture.shape)
        found.append(picture[top : top + SIDE, left : left + SIDE])
    x = torch.stack(found)[:, None]
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return (x - low) / (high - low).clamp_min(1e-6)
