"""Track ``privacy-audit``: say of each row whether a model was trained on it.

It measures attacks, not learners: the attack that decides the track ``unlearning-privacy`` is only
worth what it finds here.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import torch

from bench.cards import TrackCard
from bench.declared import Array, Size
from bench.tracks.unlearning import Architecture, Weights, confidence

__all__ = ["Problem", "Shadows", "Solution", "confidences"]

TRACK = TrackCard(
    name="privacy-audit",
    title="Privacy audit",
    about="Tell which rows a model was trained on.",
    field="forgetting",
    ranked="attacks, by how well they tell trained rows from others",
)


class Shadows(msgspec.Struct, frozen=True):
    """Models trained as the target was, each on rows of its own.

    Attributes:
        weights: by name, each (K, ...).
        trained_on: which rows each one saw (K, N), bool.
    """

    weights: Annotated[dict[str, torch.Tensor], Array("K", ..., dtype="float")]
    trained_on: Annotated[torch.Tensor, Array("K", "N", dtype="bool")]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What an attack sees.

    Attributes:
        weights: of the target model by name, each of its parameter's shape.
        architecture: its form, and the shadow models'.
        x: rows of which some were trained on (N, ...), float32.
        y: their labels (N,).
        n_classes: C.
        shadows: only for methods that need ``shadows``.
    """

    weights: Annotated[dict[str, torch.Tensor], Array(..., dtype="float")]
    architecture: Architecture
    x: Annotated[torch.Tensor, Array("N", ..., dtype="float32")]
    y: Annotated[torch.Tensor, Array("N", dtype="int64", ge=0, lt="C")]
    n_classes: Annotated[int, Size("C", least=2)]
    shadows: Shadows | None = None


class Solution(msgspec.Struct, kw_only=True):
    """What an attack returns.

    Attributes:
        scores: one a row (N,), higher where the row was more likely trained on; any scale.
    """

    scores: Annotated[torch.Tensor, Array("N", dtype="number", infinite=True)]


def confidences(problem: Problem, weights: list[Weights]) -> torch.Tensor:
    """Return the log odds of the problem's labels under each of K nets of
    its form, (K, N), float64.
    """
    found = []
    for net in weights:
        member = problem.architecture.of([net], problem.x.device).member(0)
        with torch.no_grad():
            found.append(
                confidence(torch.cat([member(part) for part in problem.x.split(1024)]), problem.y)
            )
    return torch.stack(found)
