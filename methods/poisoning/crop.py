"""Shifted pictures: the usual augmentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.poisoning import Batch, PoisoningMethod, Seeds
from bench.training.augment import shifted


class _State:
    """Each member's stream, and the shifts of the epoch at hand, (K, B, 2) a step."""

    by: Sequence[torch.Tensor]

    def __init__(self, seeds: Seeds, most: int) -> None:
        self.seeds, self.most = seeds, most
        self.streams = [run.torch_generator("method", "shifts", device="cpu") for run in seeds.runs]

    def draw(self) -> None:
        """Draw an epoch."""
        span, shape = 2 * self.most + 1, (self.seeds.drawn, 2)
        found = torch.stack([torch.randint(span, shape, generator=own) for own in self.streams])
        self.by = (found - self.most).to(self.seeds.device).split(self.seeds.problem.batch_size, 1)


class Crop(PoisoningMethod):
    """Train on pictures that are shifted by up to some pixels, drawn anew in each epoch."""

    card: ClassVar = MethodCard(
        name="crop",
        title="Shifted pictures",
        track="poisoning",
        signal="none",
        inputs="pictures",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    pixels: Annotated[int, Meta(ge=0, le=7)] = 2
    """Most that a picture moves by, up or down and left or right; what it leaves is black."""

    def start(self, seeds: Seeds) -> _State:
        """Set up the private streams."""
        return _State(seeds, self.pixels)

    def draw(self, state: Any, epoch: int) -> None:
        """Draw the epoch's shifts."""
        state.draw()

    def inputs(self, state: _State, batch: Batch) -> torch.Tensor:
        """Return shifted pictures (K, B, channels, height, width)."""
        return shifted(batch.x, state.by[batch.step], batch.x.new_zeros(batch.x.shape[:3]))
