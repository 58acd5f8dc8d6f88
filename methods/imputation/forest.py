"""One column after another by a forest (doi:10.1093/bioinformatics/btr597)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from sklearn.ensemble import ExtraTreesRegressor

from bench import Meta, MethodCard, Run
from bench.tracks.imputation import Filled, Imputer

from ._sklearn import IterativeImputer, filled_by


class Forest(Imputer):
    """Fill each column by a forest on the other columns, as filled so far, in rounds."""

    card: ClassVar = MethodCard(
        name="forest",
        title="Chained forests",
        track=("imputation", "missing-data"),
        paper="doi:10.1093/bioinformatics/btr597",
        bibtex="""@article{stekhoven2012missforest,
  title = {MissForest: Non-Parametric Missing Value Imputation for Mixed-Type Data},
  author = {Stekhoven, Daniel J. and B{\\"u}hlmann, Peter},
  journal = {Bioinformatics},
  volume = {28},
  number = {1},
  pages = {112--118},
  year = {2012}
}""",
        claim="More accurate than nearest rows and chained regressions on mixed tables.",
        deviates="IterativeImputer of scikit-learn over extremely randomised trees, 20 a column "
        "and 4 rounds; the authors grow 100 trees of a random forest until the change grows. In "
        "tables of more than 31 columns a forest reads 30 others, drawn in proportion to their "
        "correlation with the column.",
        signal="features",
        libraries=("sklearn",),
        plain=True,
        stacked=True,
        defaults_from="here",
    )
    trees: Annotated[int, Meta(ge=1)] = 20
    """Trees of a column's forest."""
    rounds: Annotated[int, Meta(ge=1)] = 4
    """Rounds over all columns."""
    nearest: Annotated[int, Meta(ge=1)] = 30
    """The most columns that a forest reads."""

    def fit(self, x: torch.Tensor, run: Run) -> Filled:
        """Grow the forests of all rounds."""
        seeds = run.numpy_generator("method").integers(2**31, size=2)
        imputer = IterativeImputer(
            ExtraTreesRegressor(self.trees, random_state=int(seeds[0])),
            max_iter=self.rounds,
            n_nearest_features=self.nearest if x.shape[1] > self.nearest + 1 else None,
            keep_empty_features=True,
            random_state=int(seeds[1]),
        )
        return filled_by(imputer, x)
