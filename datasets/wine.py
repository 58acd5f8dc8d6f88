"""Italian wines."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Dataset, DatasetCard, Run, Setup
from bench.training.data import Examples


class Wine(Dataset):
    """178 wines, 13 chemical measures, 3 cultivars of 59, 71 and 48."""

    card: ClassVar = DatasetCard(
        name="wine",
        title="Italian wines",
        licence="CC BY 4.0",
        source="scikit-learn, sklearn.datasets.load_wine; UCI Wine",
        size="178 wines, 13 chemical measures, 3 cultivars of 59, 71 and 48",
        had="shipped",
        fingerprint="f8ddb9e7bd46ff0dd36e77a178a5b465fa8ec15feedb33647876b2bcd787d0e1",
        libraries=("sklearn",),
    )

    def load(self, run: Setup) -> Examples:
        """Return x float32 (178, 13) and y int64."""
        tensors, _ = run.cached({"dataset": "wine"}, _read)
        return Examples(tensors["x"], tensors["y"], 3)


def _read(run: Run) -> dict[str, torch.Tensor]:
    from sklearn.datasets import load_wine

    found = load_wine()
    return {"x": torch.from_numpy(found.data).float(), "y": torch.from_numpy(found.target).long()}
