"""Ridge regression on each generation alone (doi:10.1080/00401706.1970.10488634)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.synthetic_data import Chain, ChainMethod, Generation, ridge


class Ridge(ChainMethod):
    """Fit every generation with a penalty on the squared length of its weights."""

    card: ClassVar = MethodCard(
        name="ridge",
        title="Ridge regression on each generation alone",
        track="synthetic-data",
        paper="doi:10.1080/00401706.1970.10488634",
        bibtex="""@article{hoerl1970ridge,
  title = {Ridge Regression: Biased Estimation for Nonorthogonal Problems},
  author = {Hoerl, Arthur E. and Kennard, Robert W.},
  journal = {Technometrics},
  volume = {12},
  number = {1},
  pages = {55--67},
  year = {1970}
}""",
        claim="Some penalty has a lower mean squared error than least squares; no claim about "
        "chains.",
        needs=("noise",),
        plain=True,
        defaults_from="here",
        tuning={"lam": (0.001, 0.003, 0.01, 0.03, 0.1)},
    )
    lam: Annotated[float, Meta(ge=0)] = 0.01
    """Penalty, against the mean squared error of the rows."""

    def fit(self, problem: Chain, at: Generation) -> torch.Tensor:
        """Return the weights (d,)."""
        return ridge(at.rows, self.lam)
