"""What tasks share whose labels are numbers: a kernel ridge regression judges the weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
import torch

from bench import Case, Metric, Outcome, Run, Score, Setup, Task
from bench.declared import Array
from bench.tracks.target_shift import Numbers, Problem, Solution
from bench.tracks.target_shift_kernels import gaussian
from bench.training.pictures import scatter

from ._metrics import MSE_W, size

METRICS = (
    Metric(
        name="mse",
        primary=True,
        direction="min",
        bounds=(0, None),
        title="mean squared error on target rows of kernel ridge regression on the weighted source "
        "rows",
    ),
    MSE_W,
    Metric(
        name="ess",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="share of the source rows that the weights are as good as",
    ),
)
PENALTY = 0.01
"""Of kernel ridge regression, times the sum of the weights."""


class Hidden(msgspec.Struct, kw_only=True):
    """What no method sees.

    Attributes:
        x: the source rows' inputs (W, d).
        y: their labels (W,).
        x_test: inputs of labelled target rows (T, d).
        y_test: their labels (T,).
        weights: density of each source row's label in the target over that in the source, up to a
            factor (W,).
    """

    x: Annotated[torch.Tensor, Array("W", "d", dtype="float64")]
    y: Annotated[torch.Tensor, Array("W", dtype="float64")]
    x_test: Annotated[torch.Tensor, Array("T", "d", dtype="float64")]
    y_test: Annotated[torch.Tensor, Array("T", dtype="float64")]
    weights: Annotated[torch.Tensor, Array("W", dtype="float64", ge=0)]


class NumbersTask(Task):
    """Labels that are numbers; their density in the target is another one."""

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Fit a kernel ridge regression with the weights, and score it on target rows."""
        hidden: Hidden = case.hidden
        solution: Solution = outcomes[0].solution
        weights, told = solution.weights.to(hidden.weights), hidden.weights
        weights, told = weights / weights.mean(), told / told.mean()
        said = fitted(hidden.x, hidden.y, weights, hidden.x_test)
        metrics = {
            "mse": float((said - hidden.y_test).square().mean()),
            "mse_w": float((weights - told).square().mean()),
            "ess": 100 * size(weights),
        }
        y = hidden.y.cpu().numpy()
        picture = scatter(
            {"true": (y, told.cpu().numpy()), "estimated": (y, weights.cpu().numpy())},
            "Weights of source rows",
            "label",
            "weight, mean 1",
        )
        return Score(metrics=metrics, images={"weights": picture})

    def tell_weights(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the ratio of the densities that rows were drawn from."""
        return Solution(weights=hidden.weights)


def case_of(
    x: torch.Tensor,
    y: torch.Tensor,
    x_target: torch.Tensor,
    x_test: torch.Tensor,
    y_test: torch.Tensor,
    weights: torch.Tensor,
) -> Case:
    """Return the case of source rows, target rows without and with labels, and true weights."""
    x, y, x_target = x.float(), y.float(), x_target.float()
    numbers = Numbers(x=x, y=y, x_target=x_target)
    hidden = Hidden(
        x=x.double(),
        y=y.double(),
        x_test=x_test.double(),
        y_test=y_test.double(),
        weights=weights.double(),
    )
    return Case(problems=[Problem(n_weights=len(y), numbers=numbers)], hidden=hidden)


def fitted(
    x: torch.Tensor, y: torch.Tensor, weights: torch.Tensor, at: torch.Tensor
) -> torch.Tensor:
    """Return predictions (T,) of kernel ridge regression on weighted rows.

    The kernel is Gaussian, its bandwidth the median distance of the source rows over the square
    root of 2, whatever the weights, after inputs are scaled to standard deviation 1. It minimises
    sum_i w_i (f(x_i) - y_i)^2 / sum_i w_i + PENALTY |f|^2; the weighted mean of y is taken off
    first.

    Args:
        x: inputs (n, d).
        y: labels (n,).
        weights: 0 or more (n,), not all 0.
        at: inputs (T, d).
    """
    spread = x.std(0).clamp_min(1e-12)
    apart = torch.pdist(x / spread).median() / 2**0.5
    width = spread * apart
    share = weights / weights.sum()
    root = share.sqrt()
    mean = share @ y
    system = root[:, None] * gaussian(x, x, width) * root + PENALTY * torch.eye(len(y)).to(x)
    alpha = root * torch.linalg.solve(system, root * (y - mean))
    return mean + gaussian(at, x, width) @ alpha
