"""The mean of a column: the baseline of both tracks of missing values."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard, Run
from bench.tracks.imputation import Filled, Imputer, observed


class ColumnMean(Imputer):
    """Fill each hole with the mean of the observed cells of its column."""

    card: ClassVar = MethodCard(
        name="mean",
        title="Mean of the column",
        track=("imputation", "missing-data"),
        signal="none",
        plain=True,
        stacked=True,
        defaults_from="here",
    )

    def fit(self, x: torch.Tensor, run: Run) -> Filled:
        """Compute the means; a column without an observed cell gets 0."""
        mean = x.nanmean(0).nan_to_num(0.0)
        return Filled(table=observed(x, mean), fill=lambda rows: observed(rows, mean.to(rows)))
