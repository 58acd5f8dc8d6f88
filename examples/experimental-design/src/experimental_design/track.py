"""Track ``experimental-design``: say which rows of a pool to have labelled, before any label is
known.

Ridge regression is fitted to the rows that were chosen. Its error bars depend on where the rows are
and not on their labels, so a design can be judged, and made, ahead: with K = X X' of the pool and
ridge r, the variance left at a pool row after labelling S is the diagonal of K - K_S' (K_SS + r
I)^-1 K_S, in units of the noise's variance over r. Labelling one row more is one step of deflation.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import torch

from bench import Meta, Method, Run, TrackCard
from bench.declared import Array, Size

TRACK = TrackCard(
    name="experimental-design",
    title="Experimental design",
    about="Say which rows of a pool to have labelled, before any label is known.",
    field="few labels",
    ranked="designs, by the error of ridge regression on the rows that they chose",
)


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees.

    Attributes:
        x: the pool (n, d), float64, with a column of ones.
        budget: how many different rows to choose.
        ridge: r, of the regression that is fitted to them.
    """

    x: Annotated[torch.Tensor, Array("n", "d", dtype="float64")]
    budget: Annotated[int, Size("budget")]
    ridge: Annotated[float, Meta(gt=0)]


class Solution(msgspec.Struct, kw_only=True):
    """What a method returns: ``rows`` (budget,), int64, each once, in the
    order in which they would be labelled.
    """

    rows: Annotated[torch.Tensor, Array("budget", dtype="int64", ge=0, lt="n", distinct=True)]


class GreedyDesign(Method, frozen=True, kw_only=True):
    """Choose row after row by a gain; methods say which."""

    def gain(self, kernel: torch.Tensor, ridge: float) -> torch.Tensor:
        """Return what labelling each row would be worth (n,), for the
        covariance (n, n) of the pool that the rows so far leave.
        """
        raise NotImplementedError

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Return the rows of largest gain, each given the ones before."""
        kernel, free, rows = (
            problem.x @ problem.x.T,
            torch.ones(len(problem.x), dtype=torch.bool, device=problem.x.device),
            [],
        )
        for _ in range(problem.budget):
            row = self.gain(kernel, problem.ridge).masked_fill(~free, -torch.inf).argmax()
            kernel = kernel - torch.outer(kernel[:, row], kernel[row]) / (
                kernel[row, row] + problem.ridge
            )
            free[row] = False
            rows.append(row)
        return Solution(rows=torch.stack(rows))


def fitted(x: torch.Tensor, y: torch.Tensor, ridge: float) -> torch.Tensor:
    """Return the weights (..., d) of ridge regression of y (..., n) on x (..., n, d)."""
    gram = x.mT @ x + ridge * torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    return torch.linalg.solve(gram, (x.mT @ y[..., None])[..., 0])


def left_over(x: torch.Tensor, rows: torch.Tensor, ridge: float) -> torch.Tensor:
    """Return the variance left at each row of the pool (n,) once ``rows`` are labelled."""
    gram = x[rows].T @ x[rows] / ridge + torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    return (x * torch.linalg.solve(gram, x.T).T).sum(1)
