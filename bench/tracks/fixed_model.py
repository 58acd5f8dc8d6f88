"""What tracks share whose methods get a trained net and score rows by it.

Shapes: N training rows, V validation rows, C classes, D features, n rows to be scored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec
import torch

from bench.contracts import Method
from bench.declared import Array, Outputs, Size
from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.training.fixed_net import FixedNet, outputs

__all__ = ["FixedProblem", "Model", "ScoreMethod", "Scored"]

Model = Callable[[torch.Tensor], torch.Tensor]


class FixedProblem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees: a trained net, the rows it was trained on, and rows it was not.

    Attributes:
        model: the net, the same for all methods; it has ``features`` and ``head``.
        x: rows that it was trained on (N, ...), float32.
        y: their labels (N,), int64.
        x_val: rows of the same kind that it was not trained on (V, ...), float32.
        y_val: their labels (V,), int64.
        n_classes: C.
    """

    model: FixedNet
    x: Annotated[torch.Tensor, Array("N", ..., dtype="float32")]
    y: Annotated[torch.Tensor, Array("N", dtype="int64", ge=0, lt="C")]
    x_val: Annotated[torch.Tensor, Array("V", ..., dtype="float32")]
    y_val: Annotated[torch.Tensor, Array("V", dtype="int64", ge=0, lt="C")]
    n_classes: Annotated[int, Size("C", least=2)]

    def validate(self) -> None:
        """Hold the net against the rows.

        Raises:
            InvalidRun: it reads rows of another shape, or has outputs for other classes.
        """
        for name, rows in (("x", self.x), ("x_val", self.x_val)):
            if tuple(rows.shape[1:]) != tuple(self.model.shape):
                raise InvalidRun(
                    f"{name} has rows of shape {tuple(rows.shape[1:])} and the net reads rows of "
                    f"shape {tuple(self.model.shape)}; give it the rows that it reads"
                )
        if self.model.n_classes != self.n_classes:
            raise InvalidRun(
                f"the net has {self.model.n_classes} outputs for {self.n_classes} classes; give "
                "one a class"
            )

    def trained_features(self, run: Run) -> torch.Tensor:
        """Return the features of the rows that the net was trained on (N, D); it counts."""
        run.count(forward=len(self.x))
        return outputs(self.model.features, self.x)


class Scored(msgspec.Struct, kw_only=True):
    """What a method returns that scores rows and does nothing else.

    Attributes:
        score: from rows (n, ...) to one number a row (n, 1); higher says that the row is more like
            those that the net knows. It judges each row by itself.
    """

    score: Annotated[Model, Outputs(1)]


class ScoreMethod(Method, frozen=True, kw_only=True):
    """The shared form: a score made of the net and the rows that it was trained on."""

    def scorer(self, problem: FixedProblem, run: Run) -> Model:
        """Return a function from rows (n, ...) to scores (n,), higher for rows like the net's."""
        raise TypeError(f"{type(self).__name__} has no scorer; write one.")

    def solve(self, problem: FixedProblem, run: Run) -> Scored:
        """Make the score, and give it a column."""
        found = self.scorer(problem, run)
        return Scored(score=lambda x: found(x)[:, None])
