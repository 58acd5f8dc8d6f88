"""Track ``target-shift``: say how much more or less often labels occur where a model is used.

Inputs given a label are distributed alike in source and target, labels are not. Target rows have no
labels. Labels are classes in some tasks and numbers in others; a method needs ``classes``,
``numbers`` or neither.

Shapes: W weights: one a class, or one a source row; V validation rows, C classes, M target rows, N
source rows, d inputs.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import torch

from bench.cards import TrackCard
from bench.declared import Array, Size
from bench.errors import InvalidRun

__all__ = ["Classes", "Numbers", "Problem", "Solution", "classes_of", "numbers_of"]

TRACK = TrackCard(
    name="target-shift",
    title="Target shift",
    about="Say how much more or less often labels occur where a model is used.",
    field="shift",
    ranked="methods that weigh classes or rows, by how well a predictor does in the target with "
    "their weights",
)


class Classes(msgspec.Struct, frozen=True, kw_only=True):
    """What a net says of source and target rows, where labels are classes.

    Attributes:
        logits_val: of the net for source rows that it was not trained on (V, C).
        y_val: their labels (V,), each class at least once.
        logits_target: of the net for target rows (M, C).
    """

    logits_val: Annotated[torch.Tensor, Array("V", "C", dtype="float32")]
    y_val: Annotated[torch.Tensor, Array("V", dtype="int64", ge=0, lt="C")]
    logits_target: Annotated[torch.Tensor, Array("M", "C", dtype="float32")]

    @property
    def n_classes(self) -> int:
        """C."""
        return self.logits_val.shape[1]

    @property
    def p_val(self) -> torch.Tensor:
        """The net's probabilities for the validation rows (V, C), float64, in [0, 1]."""
        return self.logits_val.double().softmax(1)

    @property
    def p_target(self) -> torch.Tensor:
        """The net's probabilities for the target rows (M, C), float64, in [0, 1]."""
        return self.logits_target.double().softmax(1)

    @property
    def shares(self) -> torch.Tensor:
        """Share of each class among the validation rows (C,), float64, in (0, 1]."""
        return torch.bincount(self.y_val, minlength=self.n_classes).double() / len(self.y_val)

    def validate(self) -> None:
        """Refuse classes that the source says nothing of.

        Raises:
            InvalidRun: a class has no validation row.
        """
        missing = (self.shares == 0).nonzero().flatten().tolist()
        if missing:
            raise InvalidRun(
                f"class {missing[0]} has no validation row, so that its weight is not defined; "
                "give each class one at least"
            )


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """Source and target rows, where labels are numbers.

    Attributes:
        x: inputs of the source rows (N, d).
        y: their labels (N,).
        x_target: inputs of the target rows (M, d).
    """

    x: Annotated[torch.Tensor, Array("N", "d", dtype="float32")]
    y: Annotated[torch.Tensor, Array("N", dtype="float32")]
    x_target: Annotated[torch.Tensor, Array("M", "d", dtype="float32")]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees.

    Attributes:
        n_weights: W: a weight a class, or a weight a source row.
        classes: only for methods that need ``classes``.
        numbers: only for methods that need ``numbers``.
    """

    n_weights: Annotated[int, Size("W")]
    classes: Classes | None = None
    numbers: Numbers | None = None

    def validate(self) -> None:
        """Hold the number of weights against what they weigh.

        Raises:
            InvalidRun: they differ, or a class has no validation row.
        """
        for part, found, what in (
            (self.classes, 0 if self.classes is None else self.classes.n_classes, "classes"),
            (self.numbers, 0 if self.numbers is None else len(self.numbers.y), "source rows"),
        ):
            if part is not None and found != self.n_weights:
                raise InvalidRun(
                    f"n_weights is {self.n_weights}, and there are {found} {what}; give one each"
                )
        if self.classes is not None:
            self.classes.validate()


class Solution(msgspec.Struct, kw_only=True):
    """What a method says of the target.

    Attributes:
        weights: share in the target over share in the source: of each class, or of each source
            row's label (W,), 0 or more. Of source rows only their ratios count.
    """

    weights: Annotated[torch.Tensor, Array("W", dtype="float64", ge=0)]

    def validate(self, problem: Problem) -> None:
        """Refuse weights that leave nothing.

        Raises:
            InvalidRun: all weights are 0.
        """
        if not bool((self.weights > 0).any()):
            raise InvalidRun("all weights are 0, so that nothing is left; give a positive one")


def classes_of(problem: Problem) -> Classes:
    """Return the classes of a problem, for methods that need ``classes``."""
    assert problem.classes is not None, "the card of the method must need classes"
    return problem.classes


def numbers_of(problem: Problem) -> Numbers:
    """Return the numbers of a problem, for methods that need ``numbers``."""
    assert problem.numbers is not None, "the card of the method must need numbers"
    return problem.numbers
