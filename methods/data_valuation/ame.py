"""Average marginal effects by a sparse regression (arXiv:2206.10013)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import InvalidRun, Meta, Method, MethodCard, Run
from bench.tracks.data_valuation import Problem, Solution
from bench.tracks.data_valuation_games import game_of

SHARES = (0.2, 0.4, 0.6, 0.8)
"""Probabilities that a row is in a set; a quarter of the sets has each."""


class AverageMarginalEffect(Method):
    """Regress the value of random sets of several sizes on who is in them, with few rows that
    count.
    """

    card: ClassVar = MethodCard(
        name="ame",
        title="Average marginal effect (LASSO)",
        track="data-valuation",
        paper="arXiv:2206.10013",
        bibtex="""@inproceedings{lin2022measuring,
  title = {Measuring the Effect of Training Data on Deep Learning Predictions via Randomized
    Experiments},
  author = {Lin, Jinkun and Zhang, Anqi and L{\\'e}cuyer, Mathias and Li, Jinyang and Panda, Aurojit
    and Sen, Siddhartha},
  booktitle = {ICML},
  year = {2022},
  eprint = {2206.10013},
  archivePrefix = {arXiv}
}""",
        claim="Where few rows matter, a sparse regression on random sets finds them with few fits.",
        deviates="Columns are scaled by the known probability of the set, 1 / p for a row that is "
        "in and -1 / (1 - p) for one that is not; public code standardises within each set. The "
        "strength of the penalty is chosen by five folds over 30 strengths; no knockoffs. "
        "Coefficients are not scaled back to effects, which changes no order.",
        signal="utility",
        libraries=("sklearn",),
        needs=("utility",),
        defaults_from="here",
    )
    subsets: Annotated[int, Meta(ge=40)] = 2000
    """Sets, one fit each."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Draw sets, fit the regression on all and on each half."""
        game = game_of(problem)
        count = min(self.subsets, problem.max_fits or self.subsets)
        if count < 20:
            raise InvalidRun(
                f"max_fits is {count}, fewer than the 20 sets that five folds of each half take; "
                "allow more fits"
            )
        share = np.resize(SHARES, count)[:, None]
        inside = run.numpy_generator("method").random((count, game.n)) < share
        values = game.values(torch.from_numpy(inside).to(game.device)).cpu().numpy()
        run.count(forward=game.visits)
        columns = np.where(inside, 1 / share, -1 / (1 - share))
        # of every four sets in a row one is of each size
        half = 4 * (count // 8)
        parts = [slice(None), slice(half), slice(half, None)]
        found = torch.stack([torch.from_numpy(_lasso(columns[at], values[at])) for at in parts])
        return Solution(
            value=found[0].to(game.device), n_fits=game.fits, halves=found[1:].to(game.device)
        )


def _lasso(columns: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the coefficients (n,) at the penalty that five folds choose; all 0 where values are
    equal.
    """
    from sklearn.linear_model import LassoCV

    centred = values - values.mean()
    highest = np.abs((columns - columns.mean(0)).T @ centred).max() / len(values)
    if highest <= 1e-12:
        return np.zeros(columns.shape[1])
    strengths = highest * np.logspace(0, -2.5, 30)
    fitted = LassoCV(alphas=strengths, cv=5, max_iter=5000, tol=1e-3).fit(columns, centred)
    found: np.ndarray = fitted.coef_
    return found
