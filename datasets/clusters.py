"""Generated clusters."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from bench import Dataset, DatasetCard, Run, Setup
from bench.training.data import Examples


class Clusters(Dataset):
    """1,500 rows of 20 columns in 4 classes of two Gaussian clusters each;
    10 columns hold nothing.
    """

    card: ClassVar = DatasetCard(
        name="clusters",
        title="Generated clusters (make_classification)",
        licence="CC0",
        source="scikit-learn, sklearn.datasets.make_classification",
        size="1,500 rows, 20 columns (8 informative, 2 combinations of them, 10 noise), 4 classes",
        had="generated",
        fingerprint="3eb74a42b3e3620c773488b64b9b970a30b2ccc2301c552eaf157e90e7c26fb0",
        libraries=("sklearn",),
    )

    def load(self, run: Setup) -> Examples:
        """Return x float32 (1500, 20) and y int64."""
        tensors, _ = run.cached({"dataset": "clusters"}, _make)
        return Examples(tensors["x"], tensors["y"], 4)


def _make(run: Run) -> dict[str, torch.Tensor]:
    from sklearn.datasets import make_classification

    x, y = make_classification(
        n_samples=1500,
        n_features=20,
        n_informative=8,
        n_redundant=2,
        n_classes=4,
        n_clusters_per_class=2,
        class_sep=1.5,
        flip_y=0,
        random_state=0,
    )
    # rounded, so that every linear algebra library gives the same
    return {"x": torch.from_numpy(np.round(x, 3)).float(), "y": torch.from_numpy(y).long()}
