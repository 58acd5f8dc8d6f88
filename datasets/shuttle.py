"""States of the space shuttle's radiators, from R's package mlbench."""

from __future__ import annotations

from typing import ClassVar

from bench import Dataset, DatasetCard, Setup
from bench.training.data import Examples

from ._tables import mlbench


class Shuttle(Dataset):
    """58,000 readings of sensors; four of five rows are of one class, the rarest has ten."""

    card: ClassVar = DatasetCard(
        name="shuttle",
        title="Shuttle (UCI Statlog)",
        licence="GPL-2, of the package; none is named for the data there",
        source="the R package mlbench 2.1-3, Shuttle; UCI Statlog (Shuttle)",
        size="58,000 rows of 9 columns, 7 classes of 10 to 45,586",
        had="local",
        get="apt-get install r-cran-mlbench; pip install 'datacentric-bench[tables]'",
        fingerprint="1ba1ba371cec4e8dd2721d38eba22d430f0c4d8d79bf10d0477f581f1b2c24c8",
        libraries=("rdata",),
    )

    def load(self, run: Setup) -> Examples:
        """Return x (58000, 9) float32 and y int64 (58000,).

        Raises:
            DataUnavailable: it is not on this machine, or can't be read; the message says how to
                get it.
        """
        return mlbench(run, "shuttle", "Shuttle", "Class")
