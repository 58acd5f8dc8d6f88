"""Track ``noisy-labels``: train a classifier on labels of which some are wrong; it is judged on
clean ones.

The loop is the one of :mod:`bench.training.supervised`; its parts are named here too, so that a
method of the track needs this module alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from msgspec import Meta

from bench.cards import TrackCard
from bench.runs.context import Run
from bench.training import supervised
from bench.training.supervised import (
    Batch,
    Model,
    Solution,
    SupervisedMethod,
    cross_entropy,
    sgd,
    soft,
    train,
    train_step,
)

__all__ = [
    "Batch",
    "Model",
    "NoisyLabelMethod",
    "Problem",
    "Seeds",
    "Solution",
    "cross_entropy",
    "sgd",
    "soft",
    "train",
    "train_step",
]

TRACK = TrackCard(
    name="noisy-labels",
    title="Noisy labels",
    about="Train a classifier on labels of which many are wrong.",
    field="wrong labels",
    ranked="training methods, by accuracy on clean test labels",
)


class Problem(supervised.Problem, frozen=True, kw_only=True):
    """What a method sees: inputs, given labels, of which some are wrong, and the protocol that all
    methods share.

    Attributes:
        noise_rate: share of wrong labels, in [0, 1]; only for methods that need ``noise-rate``.
    """

    noise_rate: Annotated[float, Meta(ge=0, le=1)] | None = None


class Seeds(supervised.Seeds):
    """The K problems of a pass, which may tell how many labels are wrong."""

    @property
    def noise_rate(self) -> torch.Tensor | None:
        """Share of wrong labels of each member (K,), float64; None when the method's card does not
        need it.
        """
        rates = [getattr(problem, "noise_rate", None) for problem in self.problems]
        if None in rates:
            return None
        return torch.tensor(rates, device=self.device, dtype=torch.float64)


class NoisyLabelMethod(SupervisedMethod, frozen=True, kw_only=True):
    """The shared loop, on problems that may tell how many labels are wrong."""

    def gather(self, problems: Sequence[supervised.Problem], runs: Sequence[Run]) -> Seeds:
        """Return the problems and their runs as one pass."""
        return Seeds(problems, runs)
