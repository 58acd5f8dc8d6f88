"""The median of a column."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard, Run
from bench.tracks.imputation import Filled, Imputer, observed


class ColumnMedian(Imputer):
    """Fill each hole with the median of the observed cells of its column."""

    card: ClassVar = MethodCard(
        name="median",
        title="Median of the column",
        track=("imputation", "missing-data"),
        signal="none",
        plain=True,
        stacked=True,
        defaults_from="here",
    )

    def fit(self, x: torch.Tensor, run: Run) -> Filled:
        """Compute the medians, the mean of the middle two where there are two; a column without an
        observed cell gets 0.
        """
        middle = x.nanquantile(0.5, 0).nan_to_num(0.0)
        return Filled(table=observed(x, middle), fill=lambda rows: observed(rows, middle.to(rows)))
