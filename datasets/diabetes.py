"""The diabetes table that ships with scikit-learn."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Dataset, DatasetCard, Run, Setup
from bench.training.data import Examples


class Diabetes(Dataset):
    """442 patients: ten measurements, and how far the disease went a year later."""

    card: ClassVar = DatasetCard(
        name="diabetes",
        title="Diabetes progression (Efron et al. 2004)",
        licence="BSD-3-Clause (as shipped by scikit-learn)",
        source="scikit-learn, sklearn.datasets.load_diabetes; Efron, Hastie, Johnstone and "
        "Tibshirani (2004)",
        size="442 rows of 10 numbers, one target",
        had="shipped",
        fingerprint="d948c2c6f7da8d3cb73d0785e4681c570e2d388f1a9562ffa0caa346b432b001",
        libraries=("sklearn",),
    )

    def load(self, run: Setup) -> Examples:
        """Return x float32 (442, 10), each column with variance 1, and y
        float32 (442,) with mean 0 and variance 1; ``classes`` is 0.
        """
        tensors, _ = run.cached({"dataset": "diabetes"}, _read)
        return Examples(tensors["x"], tensors["y"], 0)


def _read(run: Run) -> dict[str, torch.Tensor]:
    from sklearn.datasets import load_diabetes

    found = load_diabetes()
    x, y = torch.from_numpy(found.data), torch.from_numpy(found.target)
    return {"x": ((x - x.mean(0)) / x.std(0)).float(), "y": ((y - y.mean()) / y.std()).float()}
