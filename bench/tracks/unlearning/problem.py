"""What a method of the track sees and what it returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec
import torch

from bench.tracks.unlearning.nets import Architecture

Model = Callable[[torch.Tensor], torch.Tensor]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees: the original model, its training rows, which of them to forget, validation rows and the recipe.

    Attributes:
        weights: of the original model by name, each of its parameter's shape, and what else it holds, like BatchNorm's statistics.
        x: standardised inputs (N, ...), float32.
        y: labels (N,), int64 in [0, C), or targets (N,), float32, of a regression.
        forget: rows to forget (N,), bool.
        x_val: held-out inputs (V, ...).
        y_val: their labels or targets (V,), made by the same process as ``y``.
        n_classes: C; 0: a regression.
        goal: ``forget`` rows that a model must not have seen, or ``correct`` what corrupted rows taught it.
        net: the standard net, one of :data:`bench.training.nets.NETS`.
        widths: of the hidden layers of ``mlp``, or channels of the stages of another net; () for the net's own.
        epochs: passes of the training recipe.
        batch_size: rows of a batch of the recipe.
        lr: of the recipe, falling to 0 along a half cosine.
        momentum: of SGD, in [0, 1).
        weight_decay: of SGD.
    """

    weights: dict[str, torch.Tensor]
    x: torch.Tensor
    y: torch.Tensor
    forget: torch.Tensor
    x_val: torch.Tensor
    y_val: torch.Tensor
    n_classes: int
    goal: Literal["forget", "correct"] = "forget"
    net: str = "mlp"
    widths: tuple[int, ...] = (128, 128)
    epochs: int = 20
    batch_size: int = 64
    lr: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 0.0

    @property
    def architecture(self) -> Architecture:
        """The form of the original model."""
        return Architecture(net=self.net, shape=tuple(self.x.shape[1:]), widths=self.widths, outputs=self.n_classes or 1, batch=self.batch_size)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"a method sees no {name!r}: test rows, retrained and shadow models and unknown corrupted rows are the task's; "
            f"a problem has {', '.join(self.__struct_fields__)}."
        )


class Solution(msgspec.Struct, kw_only=True):
    """What a method returns.

    Attributes:
        model: from inputs (n, ...) to outputs (n, C): logits, or of a regression predictions (n, 1).
        weights: of the model, by the names and of the shapes of the problem's, where it is a net of the original's form.
        precompute: examples visited before the request to forget came, such as statistics of all rows; not counted as unlearning.
        exact: the forgotten rows have no influence left, by construction.
        stored: bytes kept besides the model's weights.
    """

    model: Model
    weights: dict[str, torch.Tensor] | None = None
    precompute: int = 0
    exact: bool = False
    stored: int = 0
