"""Huber's loss (doi:10.1214/aoms/1177703732)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.noisy_regression import Batch, Recipe, gaps


class Huber(Recipe):
    """Minimise the squared error of near targets and the absolute error of far ones."""

    card: ClassVar = MethodCard(
        name="huber",
        title="Huber's loss",
        track="noisy-regression",
        paper="doi:10.1214/aoms/1177703732",
        bibtex="""@article{huber1964robust,
  title = {Robust Estimation of a Location Parameter},
  author = {Huber, Peter J.},
  journal = {The Annals of Mathematical Statistics},
  volume = {35},
  number = {1},
  pages = {73--101},
  year = {1964}
}""",
        claim="A few wrong targets do not move the fit.",
        stacked=True,
        defaults_from="here",
    )
    delta: Annotated[float, Meta(gt=0)] = 1.0
    """From this distance on the loss grows linearly; in standard deviations of the targets."""

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """d^2 up to delta, 2 delta |d| - delta^2 beyond (K, B): twice Huber's rho."""
        d = gaps(batch, logits)
        far = 2 * self.delta * d.abs() - self.delta**2
        return torch.where(d.abs() <= self.delta, d.square(), far)
