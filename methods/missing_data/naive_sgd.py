"""Zeros in the holes and one pass of averaged SGD (arXiv:2301.13585)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks.missing_data import Model, Problem, Solution, targets_of


class NaiveSgd(Method):
    """A linear map by one pass of SGD over rows with zeros in their holes; the mean of all its
    iterates is taken.
    """

    card: ClassVar = MethodCard(
        name="naive-sgd",
        title="Zeros and averaged SGD",
        track="missing-data",
        paper="arXiv:2301.13585",
        bibtex="""@inproceedings{ayme2023naive,
  title = {Naive imputation implicitly regularizes high-dimensional linear models},
  author = {Ayme, Alexis and Boyer, Claire and Dieuleveut, Aymeric and Scornet, Erwan},
  booktitle = {International Conference on Machine Learning},
  year = {2023},
  eprint = {2301.13585},
  archivePrefix = {arXiv}
}""",
        claim="Zero imputation has the bias of a ridge penalty, which vanishes with many columns.",
        deviates="The step is 1 over the mean squared norm of the rows; the bounds of the paper "
        "are for a smaller one, by the root of the number of rows. The mean of the targets is "
        "taken off, and labels are one-hot rows.",
        signal="none",
        stacked=True,
        defaults_from="here",
    )
    rate: Annotated[float, Meta(gt=0, lt=2)] = 1.0
    """Step, in units of 1 over the mean squared norm of the rows."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Fit one problem."""
        return self.solve_stacked([problem], [run])[0]

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Fit several problems at once, row by row, each in an order of its own."""
        orders = [
            torch.randperm(len(problem.y), generator=run.torch_generator("order", device="cpu"))
            for problem, run in zip(problems, runs, strict=True)
        ]
        x = torch.stack([one.x.double().nan_to_num(0.0) for one in problems])
        y = torch.stack([targets_of(problem) for problem in problems])
        level = y.mean(1, keepdim=True)
        step = self.rate / x.square().sum(2).mean(1).clamp_min(1e-12)[:, None, None]
        place = torch.stack(orders).to(x.device)[..., None]
        x, y = x.take_along_dim(place, 1), (y - level).take_along_dim(place, 1)
        weights = x.new_zeros(len(problems), x.shape[2], y.shape[2])
        total = torch.zeros_like(weights)
        for row, target in zip(x.split(1, 1), y.split(1, 1), strict=True):
            weights = weights - step * row.mT * (row @ weights - target)
            total += weights
        for run in runs:
            run.count(forward=x.shape[1], backward=x.shape[1])
        mean = total / x.shape[1]
        return [Solution(model=_linear(mean[k], level[k])) for k in range(len(problems))]


def _linear(weights: torch.Tensor, level: torch.Tensor) -> Model:
    return lambda rows: (rows.double().nan_to_num(0.0) @ weights + level).float()
