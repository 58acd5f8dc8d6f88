"""Drawing an epoch's rows by weight, with replacement."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from bench.tracks.group_shift import Seeds


def alike(group: torch.Tensor, groups: int) -> torch.Tensor:
    """Return one over the size of each row's group, (K, N), for groups (K, N)."""
    counts = group.new_zeros(len(group), groups).scatter_add(1, group, torch.ones_like(group))
    return 1.0 / counts.gather(1, group).double()


class Sampler:
    """Draws rows of every member from a stream of its own.

    Args:
        seeds: the members.
        weights: what each row's chance is in proportion to (K, N).
        axes: of the stream.
    """

    def __init__(self, seeds: Seeds, weights: torch.Tensor, *axes: str) -> None:
        self.device = seeds.device
        self._generators: list[np.random.Generator] = [
            run.numpy_generator("method", *axes) for run in seeds.runs
        ]
        self._sums = weights.double().cpu().cumsum(1)

    def draw(self, count: int) -> torch.Tensor:
        """Return ``count`` rows of each member, (K, count)."""
        drawn = torch.from_numpy(
            np.stack([generator.random(count) for generator in self._generators])
        )
        found: Any = torch.searchsorted(self._sums, drawn * self._sums[:, -1:], right=True)
        return found.clamp_max(self._sums.shape[1] - 1).to(self.device)
