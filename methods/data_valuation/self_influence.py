"""Self-influence: how much a row moves the model's answer to itself (arXiv:1703.04730)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Method, MethodCard, Run
from bench.tracks.data_valuation import Problem, Solution
from bench.tracks.data_valuation_linear import fitted

from .influence import BIBTEX


class SelfInfluence(Method):
    """Minus the influence of a row on its own loss; no validation row is looked at."""

    card: ClassVar = MethodCard(
        name="self-influence",
        title="Self-influence",
        track="data-valuation",
        paper="arXiv:1703.04730",
        bibtex=BIBTEX,
        deviates="Of a multinomial logistic regression on the inputs (of least squares for "
        "numbers), whose Hessian is solved with directly.",
        signal="gradients",
        defaults_from="here",
    )

    def solve(self, problem: Problem, run: Run) -> Solution:
        """One fit; g' H^-1 g of every row, by a triangular solve."""
        model = fitted(problem.x, problem.y, problem.n_classes, problem.penalty)
        run.count(forward=len(problem.y), backward=len(problem.y))
        factor = torch.linalg.cholesky(model.hessian())
        errors = model.errors(model.x, model.y)
        found = []
        for rows in torch.arange(len(errors), device=errors.device).split(1024):
            gradients = (model.x[rows, :, None] * errors[rows, None]).flatten(1)
            half = torch.linalg.solve_triangular(factor, gradients.T, upper=False)
            found.append(-half.square().sum(0))
        return Solution(value=torch.cat(found), n_fits=1)
