"""A first layer that leaves missing values out (arXiv:2206.01640, equations 3 and 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import nn

from bench import InvalidRun, Run
from bench.tracks.missing_data import Problem, Solution, Training
from bench.training.recipe import Seeds
from bench.training.stack import MemberNet, StackedMLP, StackedNet, affine


def with_share(x: torch.Tensor) -> torch.Tensor:
    """Return rows (n, d) with 0 in their holes, and behind them q/p, the share of the cells that is
    observed, (n, d + 1).
    """
    return torch.cat([x.nan_to_num(0.0), 1 - x.isnan().to(x.dtype).mean(1, keepdim=True)], 1)


def with_both_shares(x: torch.Tensor) -> torch.Tensor:
    """Return :func:`with_share` and behind it 1 - q/p, the share that is missing, (n, d + 2)."""
    rows = with_share(x)
    return torch.cat([rows, 1 - rows[:, -1:]], 1)


class Pruned(Training, frozen=True, kw_only=True):
    """Trains nets whose first layer is a = W x_obs + (q/p) b, and + (1 - q/p) w_c where it
    compensates: q of p inputs are observed.
    """

    compensates: ClassVar[bool] = False

    def stack(self, seeds: Seeds) -> StackedNet:
        """Return fresh nets for rows with their share of observed cells (K, B, d + 1)."""
        problem = seeds.problem
        if not problem.widths:
            raise InvalidRun(
                "widths is empty, and the method changes the first hidden layer; give at least one "
                "width, such as widths=[64]"
            )
        sizes = (problem.x.shape[1] - 1, *problem.widths, problem.n_classes)
        inits = [run.seeded("init") for run in seeds.runs]
        return PrunedNets(sizes, inits, seeds.device, self.compensates)

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Train on rows and their shares; a linear map gets the shares as columns, instead of a
        constant.
        """
        linear = problems[0].net == "least-squares"
        encoder = with_both_shares if linear and self.compensates else with_share
        tables = [encoder(problem.x) for problem in problems]
        return self.fitted(problems, runs, tables, [encoder] * len(problems), intercept=False)


class PrunedNets(StackedMLP):
    """K perceptrons that are fed rows and their share of observed cells (K, B, d + 1); drawn as
    plain ones, w_c from 0 like the biases.
    """

    def __init__(
        self, sizes: Sequence[int], inits: Any, device: torch.device, compensates: bool
    ) -> None:
        super().__init__(sizes, inits, device)
        self.unknown = nn.Parameter(torch.zeros_like(self.biases[0])) if compensates else None

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Map rows and shares (K, B, d + 1) to the last hidden layer (K, B, sizes[-2])."""
        first, *later = list(zip(self.weights, self.biases, strict=True))[:-1]
        rows, share = x[..., :-1], x[..., -1:]
        found = affine(rows, first[0], torch.zeros_like(first[1])) + share * first[1]
        if self.unknown is not None:
            found = found + (1 - share) * self.unknown
        found = found.relu()
        for weight, bias in later:
            found = affine(found, weight, bias).relu_()
        return found

    def member(self, k: int) -> MemberNet:
        """Return member ``k`` as a net of its own."""
        return _Member(self, k)


class _Member(MemberNet):
    def __init__(self, nets: PrunedNets, k: int) -> None:
        super().__init__()
        self.__dict__.update(nets=nets, k=k)
        self.eval()

    def features(self, x: torch.Tensor) -> torch.Tensor:
        layers = [
            (weight.detach()[self.k], bias.detach()[self.k, 0])
            for weight, bias in zip(self.nets.weights, self.nets.biases, strict=True)
        ]
        share = x[:, -1:]
        found = nn.functional.linear(x[:, :-1], layers[0][0]) + share * layers[0][1]
        if self.nets.unknown is not None:
            found = found + (1 - share) * self.nets.unknown.detach()[self.k]
        found = found.relu()
        for weight, bias in layers[1:-1]:
            found = nn.functional.linear(found, weight, bias).relu()
        return found

    def head(self, features: torch.Tensor) -> torch.Tensor:
        weight, bias = self.nets.weights[-1].detach(), self.nets.biases[-1].detach()
        return nn.functional.linear(features, weight[self.k], bias[self.k, 0])
