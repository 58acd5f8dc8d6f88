"""Polynomials of the least degree that fits: what a net has to beat on a cube of signs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch
from torch import nn

from bench import Meta, Method, MethodCard, Run
from bench.tracks.algorithmic import Problem, Solution

_FITS = 1e-3
"""Mean squared error below which the rows are fitted."""


class LowDegree(Method):
    """Ridge regression on all monomials up to the smallest degree that fits the rows."""

    card: ClassVar = MethodCard(
        name="low-degree",
        title="Polynomials of the least degree that fits",
        track="algorithmic",
        signal="none",
        needs=("signs",),
        plain=True,
        defaults_from="here",
        trials=None,
    )
    ridge: Annotated[float, Meta(gt=0, le=1e6)] = 1e-6
    """Weight of the squared coefficients."""
    most: Annotated[int, Meta(ge=1, le=16)] = 6
    """Largest degree; beyond it the rows are left as they are fitted."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Raise the degree until the rows are fitted."""
        x, y = problem.x.double(), problem.y.double()
        for degree in range(min(self.most, x.shape[1]) + 1):
            model = Polynomial(monomials(x.shape[1], degree), x, y, self.ridge)
            run.count(forward=len(x))
            if float((model(problem.x)[:, 0].double() - y).square().mean()) < _FITS:
                break
        return Solution(model=model)


class Polynomial(nn.Module):
    """A ridge regression on monomials of signs.

    Args:
        terms: the bits of each monomial, m of them.
        x: rows (n, d), float64.
        y: values (n,), float64.
        ridge: weight of the squared coefficients.
    """

    def __init__(
        self, terms: Sequence[tuple[int, ...]], x: torch.Tensor, y: torch.Tensor, ridge: float
    ) -> None:
        super().__init__()
        chosen = torch.zeros(len(terms), x.shape[1], dtype=torch.float64)
        for place, bits in enumerate(terms):
            chosen[place, list(bits)] = 1.0
        self.register_buffer("chosen", chosen.to(x.device))
        made = self.products(x)
        gram = made.T @ made + ridge * torch.eye(len(terms), dtype=x.dtype, device=x.device)
        self.register_buffer("weights", torch.linalg.solve(gram, made.T @ y))

    def products(self, x: torch.Tensor) -> torch.Tensor:
        """Return the value of each monomial (n, m): the parity of its negative bits."""
        chosen: torch.Tensor = self.get_buffer("chosen")
        negative = (x.double() < 0).double() @ chosen.T
        return 1 - 2 * (negative % 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return values (n, 1) for rows (n, d)."""
        return (self.products(x) @ self.get_buffer("weights")).float()[:, None]


def monomials(d: int, degree: int) -> list[tuple[int, ...]]:
    """Return the bits of every monomial of d signs up to a degree, the constant first."""
    return [bits for k in range(degree + 1) for bits in itertools.combinations(range(d), k)]
