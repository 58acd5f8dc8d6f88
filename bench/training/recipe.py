"""What the tracks of training recipes share: the problem, the solution and the base class.

A recipe trains one supervised net on one training set and changes examples, targets, weights or the
step. The loop is that of :mod:`bench.training.supervised`; :class:`Recipe` says what it adds.

A track derives from this module as follows. Its contract module holds ``class
Problem(recipe.Problem, frozen=True, kw_only=True)`` with the fields that only its tasks tell (a
radius, unlabelled rows; none for ``recipes`` and ``long-tail``), and hands on ``Recipe``,
``Solution`` and what else its methods need. A method derives from ``Recipe`` whatever tracks are on
its card, reads the fields of one track with a need or by ``getattr``, and works on labels and on
real targets alike where it takes losses from :func:`fit` and targets from
:func:`~bench.training.supervised.soft`. A track of real targets has ``y`` of float32 and
``n_classes`` 1, which is the width of the output.

Shapes: K members (seeds), B rows of a batch, N training rows, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch

from bench.declared import Array, Outputs
from bench.runs.context import Run
from bench.training import optimisers, supervised
from bench.training.seeds import Batch, Seeds
from bench.training.supervised import (
    Model,
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
    "Problem",
    "Recipe",
    "Seeds",
    "Solution",
    "cross_entropy",
    "drawn_beta",
    "drawn_orders",
    "fit",
    "sgd",
    "soft",
    "streams",
    "train",
    "train_step",
]


class Problem(supervised.Problem, frozen=True, kw_only=True):
    """What a method sees: inputs, targets and the protocol that all methods share.

    Attributes:
        y: labels (N,), int64; or real targets (N,), float32, where ``n_classes`` is 1.
        optimiser: whose rate is ``lr``; Adam has neither the momentum nor the weight decay.
    """

    y: Annotated[torch.Tensor, Array("N", dtype="int64", ge=0, lt="C"), Array("N", dtype="float32")]
    optimiser: Literal["sgd", "adam"] = "sgd"


class Solution(supervised.Solution, kw_only=True):
    """What a method returns: a model, and what the method may say besides.

    Attributes:
        teacher: the net whose answers the model was trained to give, from inputs (n, ...) to logits
            (n, C); a task may ask how faithful the model is to it.
    """

    teacher: Annotated[Model | None, Outputs("C")] = None


class Recipe(SupervisedMethod, frozen=True, kw_only=True):
    """The shared loop; as it stands it is plain training.

    Besides the hooks of :class:`~bench.training.supervised.SupervisedMethod`: ``draw`` is called at
    the start of every epoch, which is where a method takes its random numbers; ``loss`` is
    :func:`~bench.training.recipe.fit` of ``targets``; ``optimiser`` is the problem's; the solution
    has a ``teacher``.
    """

    def optimiser(self, seeds: Seeds) -> torch.optim.Optimizer:
        """Return the optimiser of the problem's protocol."""
        if getattr(seeds.problem, "optimiser", "sgd") == "adam":
            return optimisers.adam(seeds.nets.parameters(), seeds.problem.lr)
        return sgd(seeds)

    def rows(self, state: Any, epoch: int, orders: torch.Tensor) -> torch.Tensor:
        """Draw the epoch's random numbers, and return its rows (K, n): those of ``orders`` (K, n),
        as they are.
        """
        self.draw(state, epoch)
        return orders

    def draw(self, state: Any, epoch: int) -> None:
        """Draw what an epoch needs at random, for all of its steps; steps look it up by
        ``batch.step``.
        """

    def targets(self, state: Any, batch: Batch) -> torch.Tensor:
        """Return what the outputs are fitted to: labels or real values (K, B), or mixed ones
        (K, B, C).
        """
        return batch.y

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Return the loss of each row (K, B) for logits (K, B, C)."""
        return fit(logits, self.targets(state, batch))

    def solutions(self, state: Any, seeds: Seeds) -> list[Any]:
        """Return the solutions of all members, once they are trained."""
        return [
            Solution(model=self.readout(state, seeds.nets, k), **extra)
            for k, extra in enumerate(self.finish(state, seeds))
        ]


def fit(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the loss of each row (...,) for outputs (..., C).

    Args:
        outputs: logits (..., C), or values (..., 1).
        targets: labels (...,), int64: cross entropy; shares of the classes (..., C): cross entropy
            with them; real values (...,) or (..., 1), for C = 1: the squared error.
    """
    if not targets.is_floating_point():
        return cross_entropy(outputs, targets)
    if outputs.shape[-1] == 1:
        return (outputs[..., 0] - targets.view(outputs.shape[:-1])).square()
    return -(targets * outputs.log_softmax(-1)).sum(-1)


def streams(runs: Sequence[Run], *axes: int | str) -> list[np.random.Generator]:
    """Return a generator of the method's own for each member, from its stream ``method``."""
    return [run.numpy_generator("method", *axes) for run in runs]


def drawn_beta(
    generators: Sequence[np.random.Generator], alpha: float, steps: int, device: torch.device
) -> torch.Tensor:
    """Return the weights of an epoch's mixtures, one a step and member (K, steps), float32, from
    Beta(``alpha``, ``alpha``); an infinite ``alpha`` gives 1/2 and one of 0 gives 1.
    """
    if alpha in (0.0, float("inf")):
        return torch.full((len(generators), steps), 0.5 if alpha else 1.0, device=device)
    drawn = np.stack([generator.beta(alpha, alpha, steps) for generator in generators])
    return torch.from_numpy(drawn).float().to(device)


def drawn_orders(
    generators: Sequence[np.random.Generator], rows: int, size: int, device: torch.device
) -> list[torch.Tensor]:
    """Return for every step of an epoch of ``rows`` rows an order of its batch of ``size`` rows
    (the last may be smaller), (K, B): the partner of the row at each place.
    """
    keys = np.stack([generator.random(rows) for generator in generators])
    return [part.argsort(-1) for part in torch.from_numpy(keys).to(device).split(size, 1)]
