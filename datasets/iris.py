"""Fisher's irises."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Dataset, DatasetCard, Run, Setup
from bench.training.data import Examples


class Iris(Dataset):
    """150 flowers, 4 lengths in cm, 3 species, 50 each."""

    card: ClassVar = DatasetCard(
        name="iris",
        title="Fisher's irises",
        licence="CC BY 4.0",
        source="scikit-learn, sklearn.datasets.load_iris; UCI Iris",
        size="150 flowers, 4 lengths in cm, 3 species, 50 each",
        had="shipped",
        fingerprint="edce3a74d753ed89a9a8e141bdffd4dbce042a78578749d68fadc7aee46decf4",
        libraries=("sklearn",),
    )

    def load(self, run: Setup) -> Examples:
        """Return x float32 (150, 4) and y int64."""
        tensors, _ = run.cached({"dataset": "iris"}, _read)
        return Examples(tensors["x"], tensors["y"], 3)


def _read(run: Run) -> dict[str, torch.Tensor]:
    from sklearn.datasets import load_iris

    found = load_iris()
    return {"x": torch.from_numpy(found.data).float(), "y": torch.from_numpy(found.target).long()}
