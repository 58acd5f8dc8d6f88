"""The base class of recipes that train on mixtures of rows.

A method of this kind says how a batch is mixed and with what weights; the weights and partners of
an epoch are drawn at its start.

Shapes: K members (seeds), B rows of a batch, C classes.
"""

from __future__ import annotations

from typing import Any

import torch

from bench.training.recipe import Batch, Recipe, Seeds, drawn_beta, drawn_orders, soft, streams
from bench.training.rows import beside

__all__ = ["Mixing", "Mixtures"]


class Mixtures:
    """Each member's generators, and the weights and partners of the epoch at hand.

    Attributes:
        seeds: what is trained on.
        lam: weight of the row itself, one a step and member (K, steps), in [0, 1].
        pairs: for every step the place in the batch of each row's partner (K, B).
    """

    lam: torch.Tensor
    pairs: list[torch.Tensor]

    def __init__(self, seeds: Seeds) -> None:
        self.seeds = seeds
        self.weights, self.partners = streams(seeds.runs, "weights"), streams(seeds.runs, "pairs")

    def draw(self, alpha: float) -> None:
        """Draw an epoch's weights from Beta(``alpha``, ``alpha``), and its partners."""
        seeds = self.seeds
        self.lam = drawn_beta(self.weights, alpha, seeds.steps, seeds.device)
        self.pairs = drawn_orders(
            self.partners, seeds.drawn, seeds.problem.batch_size, seeds.device
        )

    def weight(self, batch: Batch, values: torch.Tensor) -> torch.Tensor:
        """Return the step's weight, shaped to multiply values (K, B, ...)."""
        return self.lam[:, batch.step].view(-1, *[1] * (values.dim() - 1))

    def others(self, batch: Batch, values: torch.Tensor) -> torch.Tensor:
        """Return of the batch's values (K, B, ...) those of each row's partner, (K, B, ...)."""
        return beside(values, self.pairs[batch.step])

    def mixed(self, batch: Batch, values: torch.Tensor) -> torch.Tensor:
        """Return lam times the batch's values (K, B, ...) and 1 - lam times the partners'."""
        lam = self.weight(batch, values)
        return lam * values + (1 - lam) * self.others(batch, values)


class Mixing(Recipe, frozen=True, kw_only=True):
    """Train on convex combinations of two rows of a batch and of their targets; the weights are
    drawn from Beta(``concentration``, ``concentration``).
    """

    @property
    def concentration(self) -> float:
        """Both parameters of the Beta distribution, 0 or more; infinite: all weights are 1/2."""
        return 1.0

    def start(self, seeds: Seeds) -> Any:
        """Set up the private streams."""
        return Mixtures(seeds)

    def draw(self, state: Any, epoch: int) -> None:
        """Draw the epoch's weights and partners."""
        state.draw(self.concentration)

    def inputs(self, state: Any, batch: Batch) -> torch.Tensor:
        """Return lam x + (1 - lam) x of the partner, (K, B, ...)."""
        mixed: torch.Tensor = state.mixed(batch, batch.x)
        return mixed

    def targets(self, state: Any, batch: Batch) -> torch.Tensor:
        """Return lam y + (1 - lam) y of the partner: one-hot rows (K, B, C), or values (K, B,
        1).
        """
        mixed: torch.Tensor = state.mixed(batch, soft(state.seeds, batch.y))
        return mixed
