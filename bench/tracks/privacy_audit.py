"""Track ``privacy-audit``: say of each row whether a model was trained on it.

It measures attacks, not learners: the attack that decides the track ``unlearning`` is only worth what it finds here.
"""

from __future__ import annotations

import msgspec
import torch

from bench.tracks.unlearning import confidence
from bench.tracks.unlearning_nets import Nets, Weights

__all__ = ["Problem", "Shadows", "Solution", "confidences"]


class Shadows(msgspec.Struct, frozen=True):
    """Models trained as the target was, each on rows of its own.

    Attributes:
        weights: by name, each (K, ...).
        trained_on: which rows each one saw (K, N), bool.
    """

    weights: dict[str, torch.Tensor]
    trained_on: torch.Tensor


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What an attack sees.

    Attributes:
        weights: of the target model.
        x: rows of which some were trained on (N, ...), float32.
        y: their labels (N,).
        n_classes: C.
        shadows: only for methods that need ``shadows``.
    """

    weights: dict[str, torch.Tensor]
    x: torch.Tensor
    y: torch.Tensor
    n_classes: int
    shadows: Shadows | None = None


class Solution(msgspec.Struct, kw_only=True):
    """What an attack returns: a score for each row (N,), higher where the row was more likely trained on."""

    scores: torch.Tensor


def confidences(weights: list[Weights], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the log odds of the label under each of K nets, (K, n), float64."""
    found = []
    for net in weights:
        member = Nets.of([net], x.device).member(0)
        with torch.no_grad():
            found.append(confidence(torch.cat([member(part) for part in x.split(4096)]), y))
    return torch.stack(found)
