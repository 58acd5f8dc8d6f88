"""The 8x8 digits that ship with scikit-learn."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Dataset, DatasetCard, Run, Setup
from bench.training.data import Examples


class Digits(Dataset):
    """1,797 scans of handwritten digits, 8x8, grey values 0 to 16."""

    card: ClassVar = DatasetCard(
        name="digits",
        title="Handwritten digits, 8x8 (UCI, test part)",
        licence="CC BY 4.0",
        source="scikit-learn, sklearn.datasets.load_digits; UCI Optical Recognition of "
        "Handwritten Digits",
        size="1,797 images of 8x8 pixels, 10 classes, 174 to 183 each",
        had="shipped",
        fingerprint="794730412d763c54c13ea8395dbc219a286c7f4f5e58451640bc4aa1b96dfa14",
        libraries=("sklearn",),
    )

    def load(self, run: Setup) -> Examples:
        """Return x uint8 (1797, 1, 8, 8) and y int64 (1797,)."""
        tensors, _ = run.cached({"dataset": "digits"}, _read)
        return Examples(tensors["x"], tensors["y"], 10)


def _read(run: Run) -> dict[str, torch.Tensor]:
    from sklearn.datasets import load_digits

    found = load_digits()
    return {
        "x": torch.from_numpy(found.images).to(torch.uint8)[:, None],
        "y": torch.from_numpy(found.target).long(),
    }
