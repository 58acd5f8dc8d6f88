"""What a method of the track ``active-learning`` sees, and what it returns."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
import torch

from bench.declared import Array, Meta, Outputs, Size
from bench.errors import InvalidRun
from bench.tracks.active_learning_oracle import Oracle

Model = Callable[[torch.Tensor], torch.Tensor]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees: rows, an oracle that knows their targets, and how nets are trained.

    Attributes:
        x: inputs (N, ...), float32.
        n_outputs: C, outputs of a net: classes, or 1 for numbers.
        kind: what the oracle answers with: labels (k,), int64; ``probabilities`` of a teacher (k,
            C); or ``numbers`` (k,).
        start: rows known from the start (n,), for which the oracle charges nothing.
        budget: how many other rows may be asked.
        batch: rows asked between two trainings.
        oracle: from numbers of rows (k,) to their targets.
        net: the kind of net.
        widths: of the hidden layers of ``mlp``, or channels of a convolutional net.
        dropout: share of the inputs of the last layer that a step of training drops, in [0, 1).
        steps: updates of each training.
        batch_size: rows of an update, or all known ones where these are fewer.
        optimiser: SGD with ``momentum``, or Adam.
        lr: learning rate at the start.
        schedule: how the rate falls to 0 over a training: half a cosine, or linearly.
        momentum: of SGD, in [0, 1).
        weight_decay: added to the gradient.
        classes: C where targets are classes; a method that asks for it does not apply to numbers.
    """

    x: Annotated[torch.Tensor, Array("N", ..., dtype="float32")]
    n_outputs: Annotated[int, Size("C")]
    kind: Literal["labels", "probabilities", "numbers"] = "labels"
    start: Annotated[torch.Tensor, Array("n", dtype="int64", ge=0, lt="N", distinct=True)]
    budget: Annotated[int, Meta(ge=0)]
    batch: Annotated[int, Meta(ge=1)] = 20
    oracle: Oracle
    net: Literal["mlp", "cnn", "resnet18"] = "mlp"
    widths: tuple[int, ...] = (128,)
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.25
    steps: Annotated[int, Meta(ge=1)] = 120
    batch_size: Annotated[int, Meta(ge=1)] = 64
    optimiser: Literal["sgd", "adam"] = "sgd"
    lr: Annotated[float, Meta(gt=0)] = 0.1
    schedule: Literal["cosine", "linear"] = "cosine"
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Meta(ge=0)] = 5e-4
    classes: Annotated[int | None, Meta(ge=2)] = None

    def validate(self) -> None:
        """Hold the fields against each other.

        Raises:
            InvalidRun: more rows may be asked than there are, or numbers have several columns.
        """
        free = len(self.x) - len(self.start)
        if self.budget > free:
            raise InvalidRun(
                f"budget is {self.budget}, and {free} rows of the pool are not known from the "
                f"start; give at most {free}"
            )
        if self.kind == "numbers" and self.n_outputs != 1:
            raise InvalidRun(f"n_outputs is {self.n_outputs} where the targets are numbers; give 1")

    @property
    def rounds(self) -> int:
        """How often rows are asked; the last time it may be fewer than ``batch``."""
        return math.ceil(self.budget / self.batch)

    @property
    def marks(self) -> tuple[int, ...]:
        """Known rows after the start and after each round: where a model is to be reported."""
        first = len(self.start)
        asked = (min(done * self.batch, self.budget) for done in range(self.rounds + 1))
        return tuple(first + count for count in asked)


class Solution(msgspec.Struct, kw_only=True):
    """What a method returns: the rows it asked, and what it learned.

    Attributes:
        rows: the rows asked (k,), int64, without those of the start.
        model: from inputs (m, ...) to logits (m, C), or numbers (m, 1).
    """

    rows: Annotated[
        torch.Tensor, Array("k", dtype="int64", ge=0, lt="N", distinct=True, empty=True)
    ]
    model: Annotated[Model, Outputs("C")]
