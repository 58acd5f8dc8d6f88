"""A quantile above the median (doi:10.2307/1913643)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.noisy_regression import Batch, Recipe, gaps


class Pinball(Recipe):
    """Learn a quantile of the targets, one above the median: targets are never too high."""

    card: ClassVar = MethodCard(
        name="pinball",
        title="Quantile regression",
        track="noisy-regression",
        paper="doi:10.2307/1913643",
        bibtex="""@article{koenker1978regression,
  title = {Regression Quantiles},
  author = {Koenker, Roger and Bassett, Gilbert},
  journal = {Econometrica},
  volume = {46},
  number = {1},
  pages = {33--50},
  year = {1978}
}""",
        claim="Any quantile of the targets can be learned, not only their median.",
        stacked=True,
        defaults_from="here",
    )
    q: Annotated[float, Meta(gt=0, lt=1)] = 0.7
    """The quantile; 0.5 is the absolute error."""

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """2 max(q d, (q - 1) d), with d = y - f (K, B): twice the loss of the paper."""
        d = gaps(batch, logits)
        return 2 * torch.where(d >= 0, self.q * d, (self.q - 1) * d)
