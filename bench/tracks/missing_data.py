"""Track ``missing-data``: predict from rows with holes, in training and in use.

Shapes: K members (seeds), N rows, d columns, B rows of a batch, C outputs. A hole is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import msgspec
import torch
from torch.nn import functional as F

from bench.cards import TrackCard
from bench.declared import Array, Meta, Outputs
from bench.runs.context import Run
from bench.training import recipe, supervised
from bench.training.recipe import Recipe, Seeds
from bench.training.stack import StackedMLP, StackedNet

__all__ = ["Encoder", "Model", "Problem", "Solution", "Training", "least_squares", "trained"]

TRACK = TrackCard(
    name="missing-data",
    title="Missing values",
    about="Predict from rows with holes, in training and in use.",
    field="streams and defects",
    ranked="imputers, and nets that read holes, by accuracy on test rows with holes, or by the "
    "share of the variance that is explained",
)

Encoder = Callable[[torch.Tensor], torch.Tensor]
"""From rows with holes (n, d) to what a net is fed (n, w), each row by itself."""
Model = supervised.Model


class Problem(recipe.Problem, frozen=True, kw_only=True):
    """What a method sees: rows with holes, their targets, and the protocol that all methods share.

    Attributes:
        x: rows (N, d), float32, NaN in the holes; the observed cells of each column have mean 0 and
            variance 1.
        net: ``mlp``, trained for the epochs of the protocol, or ``least-squares``: a linear map
            with the least squared error, and of several the one of the least norm.
        widths: of the hidden layers of ``mlp``.
        steps: the most gradient steps that an imputer takes; 0: as many as it likes.
    """

    x: Annotated[torch.Tensor, Array("N", "d", dtype="float32", nan=True)]
    net: Literal["mlp", "least-squares"] = "mlp"
    widths: tuple[int, ...] = (64,)
    steps: Annotated[int, Meta(ge=0)] = 0


class Solution(msgspec.Struct, kw_only=True):
    """What a method returns.

    Attributes:
        model: from rows with holes (n, d) to logits (n, C), or to values (n, 1); it judges each row
            by itself.
    """

    model: Annotated[Model, Outputs("C")]


class Training(Recipe, frozen=True, kw_only=True):
    """The shared learner: a net on encoded rows. It reports nothing on the way, since to encode the
    test rows anew for every epoch takes longer than the epoch.
    """

    def stack(self, seeds: Seeds) -> StackedNet:
        """Return fresh nets for encoded rows (K, B, w)."""
        sizes = (seeds.problem.x.shape[1], *seeds.problem.widths, seeds.problem.n_classes)
        inits = [run.seeded("init") for run in seeds.runs]
        return StackedMLP(sizes, inits, seeds.device)

    def fitted(
        self,
        problems: Sequence[Problem],
        runs: Sequence[Run],
        tables: Sequence[torch.Tensor],
        encoders: Sequence[Encoder],
        intercept: bool = True,
    ) -> list[Solution]:
        """Train on K encoded tables (N, w); each model encodes its rows first.

        Args:
            problems: K problems of one protocol.
            runs: their runs.
            tables: the encoded training rows (N, w) of each.
            encoders: how each encodes other rows.
            intercept: whether ``least-squares`` has a constant besides the columns of a table.
        """
        own = [
            msgspec.structs.replace(problem, x=table)
            for problem, table in zip(problems, tables, strict=True)
        ]
        if problems[0].net == "least-squares":
            models: list[Model] = [least_squares(problem, intercept) for problem in own]
            for run in runs:
                run.count(forward=len(own[0].y))
        else:
            seeds = self.gather(own, runs)
            seeds.nets = self.stack(seeds)
            recipe.train(self, seeds, None, report=False)
            models = [seeds.nets.member(k) for k in range(seeds.members)]
        return [
            Solution(model=_composed(model, encoder))
            for model, encoder in zip(models, encoders, strict=True)
        ]


def trained(
    problems: Sequence[Problem],
    runs: Sequence[Run],
    tables: Sequence[torch.Tensor],
    encoders: Sequence[Encoder],
) -> list[Solution]:
    """Train the standard net of the protocol on K encoded tables (N, w)."""
    return Training().fitted(problems, runs, tables, encoders)


def least_squares(problem: Problem, intercept: bool = True) -> Model:
    """Return the linear map of the least squared error on the rows ``problem.x`` (N, d), which have
    no holes; of several the one of the least norm. Labels count as one-hot rows.

    Args:
        problem: rows and targets.
        intercept: whether there is a constant, which is the mean of the targets at the mean row.
    """
    x, y = problem.x.double(), targets_of(problem)
    at, level = (x.mean(0), y.mean(0)) if intercept else (x.new_zeros(()), y.new_zeros(()))
    weights = torch.linalg.pinv(x - at) @ (y - level)

    def model(rows: torch.Tensor) -> torch.Tensor:
        said: torch.Tensor = ((rows.double() - at) @ weights + level).float()
        return said

    return model


def targets_of(problem: Problem) -> torch.Tensor:
    """Return what a linear map is fitted to (N, C), float64: values, or one-hot labels."""
    if problem.y.is_floating_point():
        return problem.y.double()[:, None]
    return F.one_hot(problem.y, problem.n_classes).double()


def _composed(model: Any, encoder: Encoder) -> Model:
    return lambda x: model(encoder(x))
