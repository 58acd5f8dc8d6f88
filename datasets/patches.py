"""Patches of two photographs that ship with scikit-learn."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from bench import Dataset, DatasetCard, Run, Setup
from bench.training.data import Examples

_SIDE = 28
_CROPS = 1000
"""Crops of each photograph."""


class Patches(Dataset):
    """2,000 grey crops of 28x28 pixels, each stretched to the whole range of grey: pictures that
    are no digits and no clothes.
    """

    card: ClassVar = DatasetCard(
        name="patches",
        title="Patches of two photographs",
        licence="CC BY 2.0",
        source="scikit-learn, sklearn.datasets.load_sample_images: china.jpg by danielbuechele and "
        "flower.jpg by vultilion",
        size="2,000 pictures of 28x28 pixels, 1,000 of each photograph",
        had="shipped",
        libraries=("sklearn", "PIL"),
    )

    def load(self, run: Setup) -> Examples:
        """Return x uint8 (2000, 1, 28, 28), and as y int64 (2000,) the number of the photograph."""
        tensors, _ = run.cached({"dataset": "patches"}, _read)
        return Examples(tensors["x"], tensors["y"], 2)


def _read(run: Run) -> dict[str, torch.Tensor]:
    from sklearn.datasets import load_sample_images

    generator = run.numpy_generator("split")
    crops = []
    for photograph in load_sample_images().images:
        grey = photograph.astype(np.float64).mean(-1)
        windows = np.lib.stride_tricks.sliding_window_view(grey, (_SIDE, _SIDE))
        down = generator.integers(0, windows.shape[0], _CROPS)
        right = generator.integers(0, windows.shape[1], _CROPS)
        crops.append(windows[down, right])
    found = np.concatenate(crops)
    low = found.min((1, 2), keepdims=True)
    span = np.maximum(found.max((1, 2), keepdims=True) - low, 1e-9)
    return {
        "x": torch.from_numpy(np.rint(255 * (found - low) / span).astype(np.uint8))[:, None],
        "y": torch.arange(len(crops)).repeat_interleave(_CROPS),
    }
