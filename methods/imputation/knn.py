"""The nearest rows (doi:10.1093/bioinformatics/17.6.520)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from sklearn.impute import KNNImputer

from bench import Meta, MethodCard, Run
from bench.tracks.imputation import Filled, Imputer

from ._sklearn import filled_by


class NearestRows(Imputer):
    """Fill a hole with the mean of its column over the nearest rows that have the cell, weighted by
    1 / distance; distances are over the cells that both rows have.
    """

    card: ClassVar = MethodCard(
        name="knn",
        title="Nearest rows",
        track=("imputation", "missing-data"),
        paper="doi:10.1093/bioinformatics/17.6.520",
        bibtex="""@article{troyanskaya2001missing,
  title = {Missing Value Estimation Methods for DNA Microarrays},
  author = {Troyanskaya, Olga and Cantor, Michael and Sherlock, Gavin and Brown, Pat and Hastie,
    Trevor and Tibshirani, Robert and Botstein, David and Altman, Russ B.},
  journal = {Bioinformatics},
  volume = {17},
  number = {6},
  pages = {520--525},
  year = {2001}
}""",
        claim="More accurate than the mean of a row, and than singular vectors.",
        deviates="KNNImputer of scikit-learn, which scales a distance up by the share of the cells "
        "that both rows have.",
        signal="features",
        libraries=("sklearn",),
        plain=True,
        stacked=True,
        defaults_from="paper",
    )
    neighbours: Annotated[int, Meta(ge=1)] = 10
    """Rows that fill a hole; of fewer with the cell, all of them."""

    def fit(self, x: torch.Tensor, run: Run) -> Filled:
        """Keep the rows."""
        return filled_by(
            KNNImputer(n_neighbors=self.neighbours, weights="distance", keep_empty_features=True), x
        )
