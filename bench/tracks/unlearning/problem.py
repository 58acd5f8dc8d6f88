"""What a method of the track sees and what it returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
import torch
from msgspec import Meta

from bench.declared import Array, Outputs, Size
from bench.errors import InvalidRun
from bench.tracks.unlearning.nets import Architecture

Model = Callable[[torch.Tensor], torch.Tensor]

WEIGHTS = Array(..., dtype="number")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees: the original model, its training rows, which of them to forget,
    validation rows and the recipe.

    Attributes:
        weights: of the original model by name, each of its parameter's shape, and what else it
            holds, like BatchNorm's statistics.
        x: standardised inputs (N, ...), float32.
        y: labels (N,), int64 in [0, C), or targets (N,), float32, of a regression.
        forget: rows to forget (N,), bool.
        x_val: held-out inputs (V, ...).
        y_val: their labels or targets (V,), made by the same process as ``y``.
        n_classes: C; 0: a regression.
        goal: ``forget`` rows that a model must not have seen, or ``correct`` what corrupted rows
            taught it.
        net: the standard net, one of :data:`bench.training.nets.NETS`.
        widths: of the hidden layers of ``mlp``, or channels of the stages of another net; () for
            the net's own.
        epochs: passes of the training recipe.
        batch_size: rows of a batch of the recipe.
        lr: of the recipe, falling to 0 along a half cosine.
        momentum: of SGD, in [0, 1).
        weight_decay: of SGD.
    """

    weights: Annotated[dict[str, torch.Tensor], WEIGHTS]
    x: Annotated[torch.Tensor, Array("N", ..., dtype="float32")]
    y: Annotated[
        torch.Tensor, Array("N", dtype="int64", ge=0, lt="outputs"), Array("N", dtype="float32")
    ]
    forget: Annotated[torch.Tensor, Array("N", dtype="bool")]
    x_val: Annotated[torch.Tensor, Array("V", ..., dtype="float32")]
    y_val: Annotated[
        torch.Tensor, Array("V", dtype="int64", ge=0, lt="outputs"), Array("V", dtype="float32")
    ]
    n_classes: Annotated[int, Size("C", least=0)]
    goal: Literal["forget", "correct"] = "forget"
    net: str = "mlp"
    widths: tuple[int, ...] = (128, 128)
    epochs: Annotated[int, Meta(ge=1)] = 20
    batch_size: Annotated[int, Meta(ge=1)] = 64
    lr: Annotated[float, Meta(gt=0)] = 0.05
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0

    @property
    def outputs(self) -> int:
        """Columns of what a model puts out: C, or 1 of a regression."""
        return self.n_classes or 1

    @property
    def architecture(self) -> Architecture:
        """The form of the original model."""
        return Architecture(
            net=self.net,
            shape=tuple(self.x.shape[1:]),
            widths=self.widths,
            outputs=self.outputs,
            batch=self.batch_size,
        )

    def validate(self) -> None:
        """Hold the fields against each other.

        Raises:
            InvalidRun: labels are not of the kind that ``n_classes`` says, validation inputs have
                another shape, or no row or every row is to be forgotten.
        """
        for name, y in (("y", self.y), ("y_val", self.y_val)):
            if y.is_floating_point() == bool(self.n_classes):
                raise InvalidRun(
                    f"{name} holds {'numbers' if self.n_classes else 'whole numbers'}, and "
                    f"n_classes is {self.n_classes}: 0 says a regression"
                )
        if self.x_val.shape[1:] != self.x.shape[1:]:
            raise InvalidRun(
                f"x_val has rows of shape {tuple(self.x_val.shape[1:])}, and must have rows of "
                f"shape {tuple(self.x.shape[1:])} as x"
            )
        count = int(self.forget.sum())
        if not 0 < count < len(self.forget):
            raise InvalidRun(
                f"forget names {count} of the {len(self.forget)} rows, and must name some and "
                "leave some"
            )

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"a method sees no {name!r}: test rows, retrained and shadow models and unknown "
            f"corrupted rows are the task's; a problem has {', '.join(self.__struct_fields__)}."
        )


class Solution(msgspec.Struct, kw_only=True):
    """What a method returns.

    Attributes:
        model: from inputs (n, ...) to outputs (n, C): logits, or of a regression predictions (n,
            1).
        weights: of the model, by the names and of the shapes of the problem's, where it is a net of
            the original's form.
        precompute: examples visited before the request to forget came, such as statistics of all
            rows; not counted as unlearning.
        exact: the forgotten rows have no influence left, by construction.
        stored: bytes kept besides the model's weights.
    """

    model: Annotated[Model, Outputs("outputs")]
    weights: Annotated[dict[str, torch.Tensor] | None, WEIGHTS] = None
    precompute: Annotated[int, Meta(ge=0)] = 0
    exact: bool = False
    stored: Annotated[int, Meta(ge=0)] = 0

    def validate(self, problem: Problem) -> None:
        """Hold the fields against each other.

        Raises:
            InvalidRun: a weight is missing or of another shape than the problem's.
        """
        if self.weights is None:
            return
        if not isinstance(self.weights, dict):
            raise InvalidRun(
                f"weights is a {type(self.weights).__name__}, and must be a table of tensors by "
                "name, or None"
            )
        for name, tensor in problem.weights.items():
            if name not in self.weights or self.weights[name].shape != tensor.shape:
                came = (
                    f"of shape {tuple(self.weights[name].shape)}"
                    if name in self.weights
                    else "missing"
                )
                raise InvalidRun(
                    f"weights[{name!r}] is {came}, and must be of shape {tuple(tensor.shape)} as "
                    "in the problem"
                )
