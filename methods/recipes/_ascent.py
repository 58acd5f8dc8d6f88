"""Steps that take their gradient at weights nearby: SAM and its kin."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch

from bench.training import optimisers
from bench.training.recipe import Batch, Recipe, Seeds
from bench.training.stack import StackedNet


class Ascent(Recipe, frozen=True, kw_only=True):
    """Climb first, take the gradient there, and step from where the weights were."""

    @property
    def climbs(self) -> int:
        """How often a step climbs, at least once."""
        return 1

    def start(self, seeds: Seeds) -> Seeds:
        """Keep the seeds, to count passes."""
        return seeds

    def move(
        self, weights: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor]
    ) -> list[torch.Tensor]:
        """Return how far each parameter (K, ...) climbs."""
        raise NotImplementedError

    def bounded(self, moved: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Return the sum of all climbs so far, made admissible."""
        return list(moved)

    def step(
        self, state: Seeds, nets: StackedNet, optimiser: torch.optim.Optimizer, batch: Batch
    ) -> None:
        """Climb, take the gradient, go back, and step."""
        weights = list(nets.parameters())
        start = [weight.detach().clone() for weight in weights]
        for climb in range(self.climbs):
            # running statistics of a BatchNorm move once a step
            with _kept(nets) if climb else contextlib.nullcontext():
                gradients = self._gradient(state, nets, optimiser, batch)
            with torch.no_grad():
                moved = [
                    weight - origin + by
                    for weight, origin, by in zip(
                        weights, start, self.move(weights, gradients), strict=True
                    )
                ]
                for weight, origin, by in zip(weights, start, self.bounded(moved), strict=True):
                    weight.copy_(origin + by)
        with _kept(nets):
            self._gradient(state, nets, optimiser, batch)
        with torch.no_grad():
            for weight, origin in zip(weights, start, strict=True):
                weight.copy_(origin)
        self.before_step(state, nets, batch)
        optimiser.step()
        visits = self.climbs * batch.rows.shape[1]
        state.count(forward=visits, backward=visits)

    def _gradient(
        self, state: Seeds, nets: StackedNet, optimiser: torch.optim.Optimizer, batch: Batch
    ) -> list[torch.Tensor]:
        logits = self.forward(state, nets, batch)
        optimiser.zero_grad(set_to_none=True)
        optimisers.descend(self.loss(state, batch, logits))
        return [
            torch.zeros_like(weight) if weight.grad is None else weight.grad
            for weight in nets.parameters()
        ]


def norms(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return each member's norm over all tensors (K, ...), (K,)."""
    return torch.stack([tensor.flatten(1).square().sum(1) for tensor in tensors]).sum(0).sqrt()


def times(scale: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor (K, ...) with each member multiplied by its number of ``scale`` (K,)."""
    return scale.view(-1, *[1] * (tensor.dim() - 1)) * tensor


@contextlib.contextmanager
def _kept(nets: StackedNet) -> Iterator[None]:
    """Restore the buffers of the nets afterwards."""
    before = [buffer.clone() for buffer in nets.buffers()]
    yield
    with torch.no_grad():
        for buffer, was in zip(nets.buffers(), before, strict=True):
            buffer.copy_(was)
