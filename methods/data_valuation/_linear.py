"""What methods share that attribute the answers of a linear model."""

from __future__ import annotations

from typing import NamedTuple

import torch

from bench import Method, Run
from bench.tracks.data_valuation import Problem, Solution
from bench.tracks.data_valuation_linear import Fitted, design, fitted, outputs_of


class Rows(NamedTuple):
    """The queries as the model sees them.

    Attributes:
        x: (T, d).
        y: wanted outputs (T, C).
    """

    x: torch.Tensor
    y: torch.Tensor


class LinearAttribution(Method):
    """Fits the problem's linear model and attributes the margin of each query's label."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Fit once, and attribute."""
        queries = problem.queries
        assert queries is not None, "the card asks for queries"
        model = fitted(problem.x, problem.y, problem.n_classes, problem.penalty)
        run.count(forward=len(problem.y), backward=len(problem.y))
        rows = Rows(design(queries.x), outputs_of(queries.y, problem.n_classes))
        return Solution(attribution=self.attribute(model, rows), n_fits=1)

    def attribute(self, model: Fitted, queries: Rows) -> torch.Tensor:
        """Return the attribution (n, T)."""
        raise TypeError(f"method {self.name_of()!r} has no attribute(self, model, queries).")


def products(model: Fitted, moved: torch.Tensor) -> torch.Tensor:
    """Return the product of the gradient of every row's loss with each of T matrices of weights,
    (n, T).

    Args:
        model: gives rows and gradients.
        moved: (T, d, C).
    """
    errors = model.errors(model.x, model.y)
    return torch.einsum("tnc,nc->nt", model.x @ moved, errors)


def pulled(model: Fitted, queries: Rows) -> torch.Tensor:
    """Return the gradient of each query's margin by the weights (T, d, C)."""
    return queries.x[:, :, None] * model.pulls(queries.x, queries.y)[:, None]
