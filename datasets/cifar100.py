"""CIFAR-100 with its hundred fine classes, from a local copy or the Hugging Face hub."""

from __future__ import annotations

from typing import ClassVar, Literal

from bench import Dataset, DatasetCard, Setup
from bench.training.data import Examples
from bench.training.hub import Source, pictures

SOURCE = Source(name="cifar100", repo="uoft-cs/cifar100", config="cifar100", label="fine_label")


class Cifar100(Dataset):
    """50,000 training and 10,000 test pictures of a hundred kinds of things, 32x32, in colour."""

    card: ClassVar = DatasetCard(
        name="cifar100",
        title="CIFAR-100, fine labels",
        licence="none stated by its authors",
        source="Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009); "
        "uoft-cs/cifar100 on the Hugging Face hub",
        size="50,000 training and 10,000 test pictures of 32x32 pixels, 100 classes in 20 "
        "superclasses; 142 MB",
        had="hub",
        libraries=("datasets",),
    )
    split: Literal["train", "test"] = "train"
    """Which part."""

    def load(self, run: Setup) -> Examples:
        """Return x uint8 (n, 3, 32, 32) and y int64 (n,)."""
        return pictures(run, SOURCE, self.split)
