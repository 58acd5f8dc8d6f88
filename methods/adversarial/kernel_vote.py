"""Votes of all training rows, weighed by a Gaussian of their distance (Parzen windows)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch import nn

from bench import Meta, Method, MethodCard, Run
from bench.tracks.adversarial import Problem, Solution


class KernelVote(Method):
    """Give a row the class whose training rows have the largest density there
    (doi:10.1214/aoms/1177704472); its logits have a gradient, so that attacks can follow it.
    """

    card: ClassVar = MethodCard(
        name="kernel-vote",
        title="Votes of the training rows by distance",
        track="adversarial",
        paper="doi:10.1214/aoms/1177704472",
        bibtex="""@article{parzen1962estimation,
  title = {On Estimation of a Probability Density Function and Mode},
  author = {Parzen, Emanuel},
  journal = {The Annals of Mathematical Statistics},
  volume = {33},
  number = {3},
  pages = {1065--1076},
  year = {1962}
}""",
        claim="The density of rows can be estimated by a window around each; no claim about "
        "attacks.",
        deviates="Nothing is computed before a row is asked about, so its cost falls on the "
        "evaluation.",
        plain=True,
        defaults_from="here",
    )
    width: Annotated[float, Meta(gt=0)] = 0.5
    """Standard deviation of the window, in units of the inputs."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Keep the training rows."""
        return Solution(model=Windows(problem, self.width))


class Windows(nn.Module):
    """The rows of a problem (N, ...) and their labels (N,), as a classifier."""

    def __init__(self, problem: Problem, width: float) -> None:
        super().__init__()
        self.x, self.width = problem.x.flatten(1).clone(), width
        own = nn.functional.one_hot(problem.y, problem.n_classes)
        self.apart = torch.where(own.bool(), 0.0, -torch.inf)
        self.empty = ~own.any(0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return log sum over a class's rows of exp(-d^2 / 2 width^2) for rows (n, ...), (n, C); of
        a class without rows, a number below all others.
        """
        x = x.flatten(1)
        squares = x.square().sum(1, keepdim=True) - 2 * x @ self.x.T + self.x.square().sum(1)
        weight = squares / (-2 * self.width**2)
        found = torch.stack(
            [(weight + self.apart[:, c]).logsumexp(1) for c in range(self.apart.shape[1])], 1
        )
        lowest = weight.amin(1, keepdim=True) - 1
        return torch.where(self.empty, lowest, found)
