"""Representer points of a model of low rank (arXiv:2305.20002)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks.data_valuation import Problem, Solution
from bench.tracks.data_valuation_linear import design, outputs_of

from .hd_rps_l1 import BIBTEX, proximal_fit


class LowRankRepresenters(Method):
    """Writes the logit of a query's label as a sum over rows, by a model of low rank."""

    card: ClassVar = MethodCard(
        name="hd-rps-nuclear",
        title="High-dimensional representers, nuclear norm",
        track="data-valuation",
        paper="arXiv:2305.20002",
        bibtex=BIBTEX,
        claim="The answer of a model with a penalty on its rank is a sum of contributions of its "
        "training rows.",
        deviates="Derived from the condition of a minimum, not from the paper's code. The matrix "
        "is that of columns by classes of one multinomial model; the paper's are those of "
        "recommender systems. What the task judges by are fits of a model with an L2 penalty.",
        signal="gradients",
        needs=("queries",),
        defaults_from="here",
    )
    lam: Annotated[float, Meta(gt=0)] = 0.01
    """Weight of the sum of the singular values of the weights beside the mean loss."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Fit the model of low rank, and weigh products of inputs and of errors by its factors."""
        queries = problem.queries
        assert queries is not None, "the card asks for queries"
        x, y = design(problem.x), outputs_of(problem.y, problem.n_classes)
        weights = proximal_fit(x, y, self.lam, shrunk_rank)
        run.count(forward=len(y), backward=len(y))
        left, sizes, right = torch.linalg.svd(weights, full_matrices=False)
        alpha = (y - (x @ weights).softmax(-1)) / (self.lam * len(x))
        rows = ((x @ left) * sizes.sqrt()) @ (design(queries.x) @ left).T
        outputs = ((alpha @ right.T) * sizes.sqrt()) @ right
        return Solution(attribution=rows * outputs[:, queries.y], n_fits=1)


def shrunk_rank(weights: torch.Tensor, by: float) -> torch.Tensor:
    """Return the matrix (d, C) with singular values that are smaller by a number, none below 0."""
    left, sizes, right = torch.linalg.svd(weights, full_matrices=False)
    return (left * (sizes - by).clamp_min(0)) @ right
