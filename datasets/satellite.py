"""Satellite pixels, from R's package mlbench."""

from __future__ import annotations

from typing import ClassVar

from bench import Dataset, DatasetCard, Setup
from bench.training.data import Examples

from ._tables import mlbench


class Satellite(Dataset):
    """6,435 squares of 3x3 pixels of a satellite's picture in four bands, and the kind of soil."""

    card: ClassVar = DatasetCard(
        name="satellite",
        title="Landsat satellite, kinds of soil (UCI Statlog)",
        licence="GPL-2, of the package; none is named for the data there",
        source="the R package mlbench 2.1-3, Satellite; UCI Statlog (Landsat Satellite)",
        size="6,435 rows of 36 columns, 6 classes of 626 to 1,533",
        had="local",
        get="apt-get install r-cran-mlbench; pip install 'datacentric-bench[tables]'",
        fingerprint="451e07ebb19730ed1e84c6b5d1f00601b7aaa36304b74bb1a95384cbf4f8c4af",
        libraries=("rdata",),
    )

    def load(self, run: Setup) -> Examples:
        """Return x (6435, 36) float32 and y int64 (6435,).

        Raises:
            DataUnavailable: it is not on this machine, or can't be read; the message says how to
                get it.
        """
        return mlbench(run, "satellite", "Satellite", "classes")
