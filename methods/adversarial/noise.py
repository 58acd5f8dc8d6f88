"""Training on random points of the ball: what the passes of an attack are worth without it."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.adversarial import AdversarialMethod, Attacks, Batch, Seeds
from bench.training import attacks
from bench.training.nets import StackedNet
from bench.training.recipe import cross_entropy


class RandomPoints(AdversarialMethod):
    """Minimise the mean cross entropy over as many random points of a row's ball as PGD training
    makes passes.
    """

    card: ClassVar = MethodCard(
        name="noise",
        title="Training on random points of the ball",
        track="adversarial",
        stacked=True,
        plain=True,
        defaults_from="here",
    )

    def start(self, seeds: Seeds) -> Attacks:
        """Set up the streams of the points."""
        return Attacks(seeds, copies=getattr(seeds.problem, "steps", 10) + 1)

    def forward(self, state: Attacks, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the logits of all points of all rows, one point after the other (K, points * B,
        C).
        """
        points = [state.start(batch, copy=copy) for copy in range(state.steps + 1)]
        extra = state.steps * batch.y.shape[1]
        state.seeds.count(forward=extra, backward=extra)
        logits: torch.Tensor = nets(torch.cat(points, 1))
        return logits

    def loss(self, state: Attacks, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Cross entropy of every point."""
        return cross_entropy(logits, attacks.repeated(batch.y, state.steps + 1, 2))
