"""Street View House Numbers, cropped digits, from a local copy or the Hugging Face hub."""

from __future__ import annotations

from typing import ClassVar, Literal

from bench import Dataset, DatasetCard, Setup
from bench.training.data import Examples
from bench.training.hub import Source, pictures

SOURCE = Source(name="svhn", repo="ufldl-stanford/svhn", config="cropped_digits", label="label")


class Svhn(Dataset):
    """Digits cut out of photographs of house numbers, 32x32, in colour."""

    card: ClassVar = DatasetCard(
        name="svhn",
        title="Street View House Numbers, cropped digits",
        licence="non-commercial use only",
        source="Netzer et al., Reading Digits in Natural Images (2011); ufldl-stanford/svhn on "
        "the Hugging Face hub",
        size="73,257 training, 26,032 test and 531,131 extra pictures of 32x32 pixels, 10 classes",
        had="hub",
        libraries=("datasets",),
    )
    split: Literal["train", "test", "extra"] = "train"
    """Which part."""

    def load(self, run: Setup) -> Examples:
        """Return x uint8 (n, 3, 32, 32) and y int64 (n,)."""
        return pictures(run, SOURCE, self.split)
