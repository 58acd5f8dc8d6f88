"""Letter recognition, from R's package mlbench."""

from __future__ import annotations

from typing import ClassVar

from bench import Dataset, DatasetCard, Setup
from bench.training.data import Examples

from ._tables import mlbench


class Letter(Dataset):
    """20,000 printed capitals of twenty distorted fonts, as 16 features of 0 to 15."""

    card: ClassVar = DatasetCard(
        name="letter",
        title="Letter recognition (UCI)",
        licence="GPL-2, of the package; none is named for the data there",
        source="the R package mlbench 2.1-3, LetterRecognition; UCI Letter Recognition",
        size="20,000 rows of 16 columns, 26 classes of 734 to 813; 1,332 rows repeat another",
        had="local",
        get="apt-get install r-cran-mlbench; pip install 'datacentric-bench[tables]'",
        fingerprint="659fdd38343a2fd39aba3ebd6d6955f302bad451dc7e31cbc56fa4dd2cf0f855",
        libraries=("rdata",),
    )

    def load(self, run: Setup) -> Examples:
        """Return x (20000, 16) float32 and y int64 (20000,).

        Raises:
            DataUnavailable: it is not on this machine, or can't be read; the message says how to
                get it.
        """
        return mlbench(run, "letter", "LetterRecognition", "lettr")
