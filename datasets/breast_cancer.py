"""Wisconsin breast cancer (diagnostic)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Dataset, DatasetCard, Run, Setup
from bench.training.data import Examples


class BreastCancer(Dataset):
    """569 tumours, 30 measures of cell nuclei, 212 malignant and 357 benign."""

    card: ClassVar = DatasetCard(
        name="breast-cancer",
        title="Wisconsin breast cancer (diagnostic)",
        licence="CC BY 4.0",
        source="scikit-learn, sklearn.datasets.load_breast_cancer; UCI Breast Cancer Wisconsin "
        "(Diagnostic)",
        size="569 tumours, 30 measures of cell nuclei, 212 malignant and 357 benign",
        had="shipped",
        fingerprint="3b39670ad7395a5d42f800d6121d5742fcba1239f9b3a58222c312f75ec075bc",
        libraries=("sklearn",),
    )

    def load(self, run: Setup) -> Examples:
        """Return x float32 (569, 30) and y int64."""
        tensors, _ = run.cached({"dataset": "breast-cancer"}, _read)
        return Examples(tensors["x"], tensors["y"], 2)


def _read(run: Run) -> dict[str, torch.Tensor]:
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    return {"x": torch.from_numpy(found.data).float(), "y": torch.from_numpy(found.target).long()}
