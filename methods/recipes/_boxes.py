"""Mixtures whose parts lie side by side: a rectangle of another picture."""

from __future__ import annotations

import numpy as np
import torch

from bench.training.mixing import Mixtures
from bench.training.recipe import Batch, Seeds, streams

from ._pictures import inside


class Boxes(Mixtures):
    """Mixtures with a rectangle for every step and member.

    Attributes:
        low: first row and column of each rectangle (K, steps, 2).
        high: the row and column after the last.
    """

    def __init__(self, seeds: Seeds) -> None:
        super().__init__(seeds)
        self.places = streams(seeds.runs, "places")

    def draw(self, alpha: float) -> None:
        """Draw an epoch; the weights are those of the rectangles once the border has cut them."""
        super().draw(alpha)
        sides = torch.tensor(self.seeds.problem.x.shape[-2:], device=self.seeds.device)
        drawn = np.stack([own.random((self.seeds.steps, 2)) for own in self.places])
        centre = (torch.from_numpy(drawn).to(sides.device) * sides).long()
        half = ((1 - self.lam).clamp_min(0).sqrt()[..., None] * sides).long() // 2
        self.low = (centre - half).clamp_min(0)
        self.high = torch.minimum(centre + half, sides)
        area = (self.high - self.low).clamp_min(0).prod(-1)
        self.lam = 1 - area.float() / float(sides.prod())

    def pasted(self, batch: Batch, x: torch.Tensor) -> torch.Tensor:
        """Return pictures (K, B, channels, H, W) with their partners' in the rectangle."""
        low, high = self.low[:, batch.step, None], self.high[:, batch.step, None]
        return torch.where(inside(x, low, high), self.others(batch, x), x)
