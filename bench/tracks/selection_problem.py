"""What a method of the track ``selection`` sees and what it returns."""

from __future__ import annotations

import math
from typing import Annotated, Any, Protocol

import msgspec
import torch
from msgspec import Meta

from bench.declared import Array, Size
from bench.errors import InvalidRun
from bench.training.convnet import Net, Perceptron
from bench.training.fitting import Recipe

SMALLEST = 1e-6
"""Least sum of the weights of the rows kept."""


class Selection(msgspec.Struct, kw_only=True):
    """What a method of the track returns.

    Attributes:
        rows: for each budget of the problem the rows to keep, at least one and at most the budget
            (k,), int64 in [0, N), distinct.
        weights: for each budget the weights of these rows in the loss (k,), not negative; None: all
            1.
        scores: higher means kept earlier, (N,); None where the method ranks nothing.
    """

    rows: Annotated[list[torch.Tensor], Array("k", dtype="int64", ge=0, lt="N", distinct=True)]
    weights: Annotated[list[torch.Tensor] | None, Array("k", dtype="float", ge=0)] = None
    scores: Annotated[torch.Tensor | None, Array("N", dtype="number", infinite=True)] = None

    def validate(self, problem: Selectable) -> None:
        """Hold the fields against each other.

        Raises:
            InvalidRun: a budget has no rows, more than it allows, or another number of weights.
        """
        budgets = problem.budgets
        for name, parts in (("rows", self.rows), ("weights", self.weights)):
            if parts is not None and (
                not isinstance(parts, list | tuple) or len(parts) != len(budgets)
            ):
                came = (
                    f"{len(parts)} tensors"
                    if isinstance(parts, list | tuple)
                    else f"a {type(parts).__name__}"
                )
                raise InvalidRun(
                    f"{name} is {came}, and must be a list of one tensor for each of the "
                    f"{len(budgets)} budgets"
                )
        for place, (rows, budget) in enumerate(zip(self.rows, budgets, strict=True)):
            if len(rows) > budget:
                raise InvalidRun(f"rows[{place}] keeps {len(rows)} rows; the budget is {budget}")
            if self.weights is not None and len(self.weights[place]) != len(rows):
                raise InvalidRun(
                    f"weights[{place}] holds {len(self.weights[place])} numbers for the "
                    f"{len(rows)} rows of rows[{place}]"
                )
            if self.weights is not None and float(self.weights[place].double().sum()) < SMALLEST:
                raise InvalidRun(
                    f"weights[{place}] sums to {float(self.weights[place].double().sum()):g}, so "
                    "that nothing would be learned; some must be above 0"
                )


class Selectable(Protocol):
    """What a selector needs to know of a problem.

    Attributes:
        x: inputs (N, ...), float32.
        y: given labels (N,), int64 in [0, n_classes).
        n_classes: C.
        batch_size: rows of a batch where nets are trained.
        epochs: passes of such a training.
    """

    x: torch.Tensor
    y: torch.Tensor
    n_classes: int
    batch_size: int
    epochs: int

    @property
    def budgets(self) -> tuple[int, ...]:
        """How many rows may be kept, once or several times."""

    @property
    def balanced(self) -> bool:
        """Whether each class is to get its equal share of the rows."""

    def net(self) -> Net:
        """The kind of net that will be trained on what is kept."""

    def recipe(self, steps: int) -> Recipe:
        """How such a net is trained."""

    def take(
        self,
        rows: list[torch.Tensor],
        weights: list[torch.Tensor] | None,
        scores: torch.Tensor | None,
    ) -> Any:
        """The track's solution for the rows kept: for each budget its rows (budget,) and weights
        (budget,), and the scores of all rows (N,).
        """


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees: training examples and how many it may keep.

    Attributes:
        x: inputs (N, ...), float32.
        y: given labels (N,), int64; some may be wrong.
        n_classes: C.
        fractions: shares of the rows that may be kept, each to be answered.
        class_balance: whether each class gets its equal share.
        widths: of the hidden layers of the standard net.
        epochs: passes over all rows whose steps every training takes, however few rows are kept.
        batch_size: rows of a batch.
        lr: learning rate at the start; it falls to 0 along a half cosine.
        weight_decay: of SGD with Nesterov's momentum 0.9.
    """

    x: Annotated[torch.Tensor, Array("N", ..., dtype="float32")]
    y: Annotated[torch.Tensor, Array("N", dtype="int64", ge=0, lt="C")]
    n_classes: Annotated[int, Size("C")]
    fractions: tuple[float, ...]
    class_balance: bool = False
    widths: tuple[int, ...] = (256,)
    epochs: Annotated[int, Meta(ge=1)] = 15
    batch_size: Annotated[int, Meta(ge=1)] = 128
    lr: Annotated[float, Meta(gt=0)] = 0.1
    weight_decay: Annotated[float, Meta(ge=0)] = 5e-4

    def validate(self) -> None:
        """Hold the fields against each other.

        Raises:
            InvalidRun: a share is no share of the rows, or of less than one.
        """
        if not self.fractions or not all(
            0 < fraction <= 1 and budget
            for fraction, budget in zip(self.fractions, self.budgets, strict=True)
        ):
            raise InvalidRun(
                f"fractions is {self.fractions}, and must be shares of the {len(self.y)} rows, "
                "each above 0, at most 1 and at least one row"
            )

    @property
    def steps(self) -> int:
        """Updates of every training."""
        return math.ceil(self.epochs * len(self.y) / self.batch_size)

    @property
    def budgets(self) -> tuple[int, ...]:
        """Rows that may be kept, for each fraction."""
        return tuple(round(fraction * len(self.y)) for fraction in self.fractions)

    @property
    def balanced(self) -> bool:
        """Whether each class is to get its equal share of the rows."""
        return self.class_balance

    def net(self) -> Perceptron:
        """The standard net: a perceptron."""
        return Perceptron(sizes=(self.x[0].numel(), *self.widths, self.n_classes))

    def recipe(self, steps: int) -> Recipe:
        """SGD with Nesterov's momentum and a cosine."""
        return Recipe(
            steps=steps,
            lr=self.lr,
            weight_decay=self.weight_decay,
            nesterov=True,
            schedule="cosine",
        )

    def take(
        self,
        rows: list[torch.Tensor],
        weights: list[torch.Tensor] | None,
        scores: torch.Tensor | None,
    ) -> Selection:
        """The solution for the rows kept: for each budget its rows
        (budget,) and weights (budget,), and the scores of all rows (N,).
        """
        return Selection(rows=rows, weights=weights, scores=scores)
