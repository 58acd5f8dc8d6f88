"""Track ``poisoning``: train a classifier on rows that an attacker has touched; it is judged on
clean ones.

Inputs lie in the unit cube and are not standardised. What an attacker may do is in
:mod:`bench.training.poison` and :mod:`bench.training.triggers`; the task does it before a method
sees the rows.

Shapes: K members (seeds), B rows of a batch, N training rows, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from msgspec import Meta

from bench.cards import TrackCard
from bench.declared import Array
from bench.runs.context import Run
from bench.training import recipe
from bench.training.recipe import Batch, Model, Recipe, Seeds, cross_entropy, train
from bench.training.state import evaluating

__all__ = [
    "Batch",
    "Model",
    "PoisoningMethod",
    "Problem",
    "Seeds",
    "Solution",
    "cross_entropy",
    "features",
    "first_pass",
    "train",
    "without",
]

TRACK = TrackCard(
    name="poisoning",
    title="Poisoned data",
    about="Train a classifier on rows that an attacker has touched.",
    field="streams and defects",
    ranked="training methods, by accuracy on clean test rows, less the share of triggers obeyed",
)


class Problem(recipe.Problem, frozen=True, kw_only=True):
    """What a method sees: inputs and labels after the attack, and the protocol.

    Attributes:
        x: inputs (N, ...), float32, in [0, 1].
        y: labels (N,), int64.
        epsilon: most that the attacker changed a number of an input by; only for methods that need
            ``epsilon``.
        poison_rate: share of the rows that the attacker touched; only for methods that need
            ``poison-rate``.
    """

    x: Annotated[torch.Tensor, Array("N", ..., dtype="float32", ge=0, le=1)]
    y: Annotated[torch.Tensor, Array("N", dtype="int64", ge=0, lt="C")]
    epsilon: Annotated[float, Meta(ge=0, le=1)] | None = None
    poison_rate: Annotated[float, Meta(ge=0, le=1)] | None = None


class Solution(recipe.Solution, kw_only=True):
    """What a method returns: a model, and what it may say of the rows.

    Attributes:
        suspect: higher means more likely touched by the attacker (N,), any real numbers.
    """

    suspect: Annotated[torch.Tensor | None, Array("N", dtype="number", infinite=True)] = None


class PoisoningMethod(Recipe, frozen=True, kw_only=True):
    """The shared loop; as it stands it is cross entropy on the rows as they come."""

    def solutions(self, state: Any, seeds: Seeds) -> list[Any]:
        """Return the solutions of all members, once they are trained."""
        return [
            Solution(model=self.readout(state, seeds.nets, k), **extra)
            for k, extra in enumerate(self.finish(state, seeds))
        ]


def first_pass(
    method: PoisoningMethod, problems: Sequence[recipe.Problem], runs: Sequence[Run]
) -> Seeds:
    """Return K problems and their runs, with nets trained on all rows as the protocol says."""
    seeds = method.gather(problems, runs)
    seeds.nets = seeds.build()
    train(method, seeds, None, report=False)
    return seeds


def without(
    method: PoisoningMethod, seeds: Seeds, suspect: torch.Tensor, share: float
) -> list[Solution]:
    """Train other nets on the rows that are least suspect, and return the solutions.

    Args:
        method: its loop.
        seeds: what is trained on.
        suspect: of each row, higher is more (K, N).
        share: of the rows that is left out, in [0, 1).
    """
    kept = max(1, seeds.n_rows - round(share * seeds.n_rows))
    rows = suspect.argsort(dim=-1, stable=True)[:, :kept].sort(-1).values
    part = seeds.part(rows, "kept")
    part.nets = seeds.build(first=1)
    train(method, part, None)
    return [Solution(model=part.nets.member(k), suspect=suspect[k]) for k in range(seeds.members)]


def features(seeds: Seeds) -> torch.Tensor:
    """Return what the last layer of each member's net sees of its rows (K, N, D), in eval mode; it
    counts.
    """
    rows = torch.arange(seeds.n_rows, device=seeds.device).expand(seeds.members, -1)
    seeds.count(forward=seeds.n_rows)
    with evaluating(seeds.nets):
        return torch.cat(
            [seeds.nets.features(seeds.inputs(part)) for part in rows.split(4096, 1)], 1
        )
