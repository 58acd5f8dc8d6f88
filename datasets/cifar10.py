"""CIFAR-10, from a local copy or the Hugging Face hub."""

from __future__ import annotations

from typing import ClassVar, Literal

from bench import Dataset, DatasetCard, Setup
from bench.training.data import Examples
from bench.training.hub import Source, pictures

SOURCE = Source(name="cifar10", repo="uoft-cs/cifar10", config="plain_text", label="label")


class Cifar10(Dataset):
    """50,000 training and 10,000 test pictures of ten kinds of things, 32x32, in colour."""

    card: ClassVar = DatasetCard(
        name="cifar10",
        title="CIFAR-10",
        licence="none stated by its authors",
        source="Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009); "
        "uoft-cs/cifar10 on the Hugging Face hub",
        size="50,000 training and 10,000 test pictures of 32x32 pixels, 10 classes; 144 MB",
        had="hub",
        libraries=("datasets",),
    )
    split: Literal["train", "test"] = "train"
    """Which part."""

    def load(self, run: Setup) -> Examples:
        """Return x uint8 (n, 3, 32, 32) and y int64 (n,)."""
        return pictures(run, SOURCE, self.split)
