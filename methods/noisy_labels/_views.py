"""A second look at the rows of a step, for methods that hold two looks at one row together."""

from __future__ import annotations

import torch

from bench.tracks.noisy_labels import Batch, Seeds
from bench.training.augment import Augmentation


class Views:
    """Second looks at batches: pictures mirrored and shifted as the task says, drawn apart from the
    first look, and Gaussian noise on top.

    Args:
        seeds: the members and their rows.
        noise: standard deviation of the noise; the inputs' is 1 over all.
        axes: name the stream.
    """

    def __init__(self, seeds: Seeds, noise: float, *axes: int | str) -> None:
        problem = seeds.problem
        self.seeds, self.noise = seeds, noise
        self.draws = [run.torch_generator("method", "views", *axes) for run in seeds.runs]
        self.of_pictures = (
            Augmentation(
                [own.x for own in seeds.problems], seeds.device, problem.flip, problem.crop
            )
            if problem.flip or problem.crop
            else None
        )
        self._shifts = [
            run.torch_generator("method", "view shifts", *axes, device="cpu") for run in seeds.runs
        ]
        self.draw()

    def draw(self) -> None:
        """Draw the mirrors and shifts of an epoch."""
        if self.of_pictures is not None:
            self.of_pictures.draw(self.seeds.n_rows, self._shifts)

    def __call__(self, batch: Batch) -> torch.Tensor:
        """Return a second look at the rows of a batch, (K, B, ...)."""
        x = batch.x
        if self.of_pictures is not None:
            x = self.of_pictures(self.seeds.inputs(batch.rows), batch.rows)
        if not self.noise:
            return x
        drawn = [
            torch.randn(x.shape[1:], generator=own, dtype=x.dtype, device=x.device)
            for own in self.draws
        ]
        return x + self.noise * torch.stack(drawn)
