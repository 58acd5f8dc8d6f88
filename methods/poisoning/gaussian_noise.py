"""Fresh noise on every row of every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.poisoning import Batch, PoisoningMethod, Seeds


class _State:
    """Each member's stream, and the numbers of the epoch at hand, (K, B, ...) a step."""

    drawn: Sequence[torch.Tensor]

    def __init__(self, seeds: Seeds) -> None:
        self.seeds = seeds
        self.streams = [run.torch_generator("method", "noise", device="cpu") for run in seeds.runs]

    def draw(self) -> None:
        """Draw an epoch."""
        shape = (self.seeds.drawn, *self.seeds.problem.x.shape[1:])
        found = torch.stack([torch.randn(shape, generator=own) for own in self.streams])
        self.drawn = found.to(self.seeds.device).split(self.seeds.problem.batch_size, 1)


class GaussianNoise(PoisoningMethod):
    """Train on rows plus normal noise, put into the unit cube."""

    card: ClassVar = MethodCard(
        name="gaussian-noise",
        title="Normal noise on the inputs",
        track="poisoning",
        signal="none",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    sd: Annotated[float, Meta(ge=0)] = 0.2
    """Standard deviation of the noise."""

    def start(self, seeds: Seeds) -> _State:
        """Set up the private streams."""
        return _State(seeds)

    def draw(self, state: Any, epoch: int) -> None:
        """Draw the epoch's noise."""
        state.draw()

    def inputs(self, state: _State, batch: Batch) -> torch.Tensor:
        """Return noisy rows (K, B, ...)."""
        return (batch.x + self.sd * state.drawn[batch.step]).clamp(0, 1)
