"""Track ``accuracy-estimation``: say how accurate a trained net is where there are no labels.

Shapes: V validation rows, C classes, S target sets, n rows of a set.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import torch

from bench.cards import TrackCard
from bench.declared import Array, Size
from bench.errors import InvalidRun
from bench.training.calibration import fit_temperature
from bench.training.fixed_net import FixedNet

__all__ = ["Problem", "Solution", "agreement", "probabilities"]

TRACK = TrackCard(
    name="accuracy-estimation",
    title="Accuracy estimation",
    about="Say how accurate a net is on shifted rows that have no labels.",
    field="shift",
    ranked="estimates of a net's accuracy, by their mean error over sets of shifted rows",
)


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees: a trained net, labelled rows of its own kind, and sets without labels.

    Attributes:
        model: the net, the same for all methods.
        x_val: rows of the kind that it was trained on (V, ...), float32.
        y_val: their labels (V,), int64; methods that are source-free do not read them.
        n_classes: C.
        targets: the sets, each with rows (n, ...), float32, as many as every other.
        logits_val: of the net for the validation rows (V, C).
        logits: of the net for each set's rows (n, C).
        second_model: a net of another start and another order of the same rows; only for methods
            that need ``second-model``.
    """

    model: FixedNet
    x_val: Annotated[torch.Tensor, Array("V", ..., dtype="float32")]
    y_val: Annotated[torch.Tensor, Array("V", dtype="int64", ge=0, lt="C")]
    n_classes: Annotated[int, Size("C", least=2)]
    targets: Annotated[tuple[torch.Tensor, ...], Array("n", ..., dtype="float32")]
    logits_val: Annotated[torch.Tensor, Array("V", "C", dtype="float32")]
    logits: Annotated[tuple[torch.Tensor, ...], Array("n", "C", dtype="float32")]
    second_model: FixedNet | None = None

    @property
    def n_targets(self) -> int:
        """S."""
        return len(self.targets)

    @property
    def source_accuracy(self) -> float:
        """The net's accuracy on the validation rows, in percent."""
        return agreement(self.logits_val.argmax(1), self.y_val)

    def validate(self) -> None:
        """Hold the logits against the sets.

        Raises:
            InvalidRun: there is no set, or not one table of logits for each.
        """
        if not self.targets or len(self.targets) != len(self.logits):
            raise InvalidRun(
                f"there are {len(self.targets)} target sets and logits of {len(self.logits)}; give "
                "at least one set, and logits for each"
            )


class Solution(msgspec.Struct, kw_only=True):
    """What a method says of the sets.

    Attributes:
        accuracy: of the net on each set (n_targets,), in percent.
    """

    accuracy: Annotated[torch.Tensor, Array("n_targets", dtype="float64", ge=0, le=100)]


def agreement(one: torch.Tensor, other: torch.Tensor) -> float:
    """Return how many entries of two tensors (n,) are equal, in percent."""
    return 100 * float((one == other).double().mean())


def probabilities(
    problem: Problem, calibrate: bool
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """Return the net's probabilities for the validation rows (V, C) and for each set (n, C),
    float64, in [0, 1].

    Args:
        problem: holds the logits.
        calibrate: whether a temperature is fitted on the validation rows.
    """
    scale = 1 / fit_temperature(problem.logits_val, problem.y_val) if calibrate else 1.0
    return (
        (scale * problem.logits_val.double()).softmax(1),
        tuple((scale * part.double()).softmax(1) for part in problem.logits),
    )
