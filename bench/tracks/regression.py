"""Track ``regression``: train a net on few rows with real targets.

Problem, solution and base class are those of :mod:`bench.training.recipe`; here is what methods
share that mix a row with one of its neighbours, in the inputs or in the targets.

Shapes: K members (seeds), B rows of a batch, N training rows.
"""

from __future__ import annotations

from typing import Annotated, Any

import torch

from bench.cards import TrackCard
from bench.declared import Array, Meta, Size
from bench.training import recipe
from bench.training.recipe import Batch, Recipe, Seeds, Solution, drawn_beta, soft, streams

__all__ = [
    "Batch",
    "NeighbourMixing",
    "Neighbours",
    "Problem",
    "Recipe",
    "Seeds",
    "Solution",
    "nearest",
]

TRACK = TrackCard(
    name="regression",
    title="Regression recipes",
    about="Train a net on few real targets, with changed examples, targets or steps.",
    field="training",
    ranked="training methods, by the root mean squared error on test rows",
)


class Problem(recipe.Problem, frozen=True, kw_only=True):
    """What a method sees: inputs, real targets, both standardised, and the protocol.

    Attributes:
        x: inputs (N, ...), float32; each column of a table with mean 0 and variance 1.
        y: targets (N,), float32, with mean 0 and variance 1.
        n_classes: width of the output, 1.
    """

    y: Annotated[torch.Tensor, Array("N", dtype="float32")]
    n_classes: Annotated[int, Size("C"), Meta(le=1)] = 1


class Neighbours:
    """For every row the probabilities of its partners, and the partners and weights of an epoch.

    Args:
        seeds: what is trained on.
        weights: how likely each row is the partner of each (K, N, N), up to a factor a row; no row
            of zeros.

    Attributes:
        lam: weight of the row itself, one a step and member (K, steps), in [0, 1].
        partners: the partner of every row (K, N).
    """

    lam: torch.Tensor
    partners: torch.Tensor

    def __init__(self, seeds: Seeds, weights: torch.Tensor) -> None:
        self.seeds = seeds
        self.weights, self.drawn = streams(seeds.runs, "weights"), streams(seeds.runs, "pairs")
        # once a run: an epoch's partners are a search among these sums
        self.sums = weights.double().cumsum(-1)

    def draw(self, alpha: float) -> None:
        """Draw an epoch: a partner for every row, and weights from Beta(``alpha``, ``alpha``)."""
        seeds, rows = self.seeds, self.sums.shape[1]
        self.lam = drawn_beta(self.weights, alpha, seeds.steps, seeds.device)
        places = torch.stack([torch.from_numpy(own.random(rows)) for own in self.drawn])
        high = places.to(seeds.device)[..., None] * self.sums[..., -1:]
        found = torch.searchsorted(self.sums, high, right=True)[..., 0]
        self.partners = found.clamp_max(self.sums.shape[-1] - 1)

    def others(self, batch: Batch) -> torch.Tensor:
        """Return the partners of the batch's rows (K, B)."""
        return self.partners.gather(1, batch.rows)

    def weight(self, batch: Batch, values: torch.Tensor) -> torch.Tensor:
        """Return the step's weight, shaped to multiply values (K, B, ...)."""
        return self.lam[:, batch.step].view(-1, *[1] * (values.dim() - 1))


class NeighbourMixing(Recipe, frozen=True, kw_only=True):
    """Train on convex combinations of a row and a partner drawn for it, and of their targets; the
    weights are drawn from Beta(``concentration``, ``concentration``).
    """

    @property
    def concentration(self) -> float:
        """Both parameters of the Beta distribution, 0 or more; 0: the rows as they are."""
        return 2.0

    def likely(self, seeds: Seeds) -> torch.Tensor:
        """Return how likely each row is the partner of each (K, N, N)."""
        raise NotImplementedError

    def start(self, seeds: Seeds) -> Any:
        """Compute the probabilities once, and set up the streams."""
        return Neighbours(seeds, self.likely(seeds))

    def draw(self, state: Any, epoch: int) -> None:
        """Draw the epoch's partners and weights."""
        state.draw(self.concentration)

    def inputs(self, state: Any, batch: Batch) -> torch.Tensor:
        """Return lam x + (1 - lam) x of the partner, (K, B, ...)."""
        lam, other = state.weight(batch, batch.x), state.seeds.inputs(state.others(batch))
        mixed: torch.Tensor = lam * batch.x + (1 - lam) * other
        return mixed

    def targets(self, state: Any, batch: Batch) -> torch.Tensor:
        """Return lam y + (1 - lam) y of the partner, (K, B, 1)."""
        other = state.seeds.y.gather(1, state.others(batch))
        lam = state.weight(batch, batch.y[..., None])
        mixed: torch.Tensor = lam * soft(state.seeds, batch.y) + (1 - lam) * soft(
            state.seeds, other
        )
        return mixed


def nearest(seeds: Seeds, k: int, among: torch.Tensor | None = None) -> torch.Tensor:
    """Return 1 where a row is one of the ``k`` nearest others of another in the inputs, else 0,
    (K, N, N), float32; with ``k`` 0 a row is its own neighbour.

    Args:
        seeds: the K problems.
        k: neighbours; at most all other rows.
        among: rows that may be neighbours (K, N), bool; None: all.
    """
    own = torch.eye(seeds.n_rows, device=seeds.device).expand(seeds.members, -1, -1)
    k = min(k, seeds.n_rows - 1 if among is None else int(among.sum(1).min()) - 1)
    if k < 1:
        return own
    rows = torch.arange(seeds.n_rows, device=seeds.device).expand(seeds.members, -1)
    x = seeds.inputs(rows).flatten(2)
    apart = torch.cdist(x, x) + own * 1e30
    if among is not None:
        apart = apart + (~among)[:, None] * 1e20
    near = apart.topk(k, -1, largest=False).indices
    return torch.zeros_like(apart).scatter(-1, near, 1.0)
