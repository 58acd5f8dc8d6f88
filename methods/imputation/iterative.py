"""One column after another by regression on the others (doi:10.18637/jss.v045.i03)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard, Run
from bench.tracks.imputation import Filled, Imputer

from ._sklearn import IterativeImputer, filled_by


class Iterative(Imputer):
    """Fill each column by a Bayesian ridge regression on the other columns, as filled so far, in
    rounds.
    """

    card: ClassVar = MethodCard(
        name="iterative",
        title="Chained regressions",
        track=("imputation", "missing-data"),
        paper="doi:10.18637/jss.v045.i03",
        bibtex="""@article{vanbuuren2011mice,
  title = {mice: Multivariate Imputation by Chained Equations in R},
  author = {van Buuren, Stef and Groothuis-Oudshoorn, Karin},
  journal = {Journal of Statistical Software},
  volume = {45},
  number = {3},
  pages = {1--67},
  year = {2011}
}""",
        deviates="IterativeImputer of scikit-learn: holes get the regression's mean, once; the "
        "authors draw several tables. In tables of more than 31 columns a regression reads 30 "
        "others, drawn in proportion to their correlation with the column.",
        signal="features",
        libraries=("sklearn",),
        plain=True,
        stacked=True,
        defaults_from="here",
    )
    rounds: Annotated[int, Meta(ge=1)] = 10
    """Rounds over all columns."""
    nearest: Annotated[int, Meta(ge=1)] = 30
    """The most columns that a regression reads."""

    def fit(self, x: torch.Tensor, run: Run) -> Filled:
        """Fit the regressions of all rounds."""
        imputer = IterativeImputer(
            max_iter=self.rounds,
            n_nearest_features=self.nearest if x.shape[1] > self.nearest + 1 else None,
            keep_empty_features=True,
            random_state=int(run.numpy_generator("method").integers(2**31)),
        )
        return filled_by(imputer, x)
