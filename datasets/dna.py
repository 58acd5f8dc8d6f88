"""Splice junctions of DNA, from R's package mlbench."""

from __future__ import annotations

from typing import ClassVar

from bench import Dataset, DatasetCard, Setup
from bench.training.data import Examples

from ._tables import mlbench


class Dna(Dataset):
    """3,186 windows of 60 bases as three 0/1 columns each, and which junction is in the middle."""

    card: ClassVar = DatasetCard(
        name="dna",
        title="DNA, splice junctions (Statlog)",
        licence="GPL-2, of the package; none is named for the data there",
        source="the R package mlbench 2.1-3, DNA; Statlog DNA",
        size="3,186 rows of 180 columns of 0 and 1, 3 classes of 765 to 1,654; 184 rows repeat "
        "another",
        had="local",
        get="apt-get install r-cran-mlbench; pip install 'datacentric-bench[tables]'",
        fingerprint="69e13148ec732cb975f692276797e7e09b713cb41ff1de8adce38b663bbe721b",
        libraries=("rdata",),
    )

    def load(self, run: Setup) -> Examples:
        """Return x (3186, 180) float32 and y int64 (3186,).

        Raises:
            DataUnavailable: it is not on this machine, or can't be read; the message says how to
                get it.
        """
        return mlbench(run, "dna", "DNA", "Class")
