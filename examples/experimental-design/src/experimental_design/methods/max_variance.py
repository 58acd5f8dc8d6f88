"""The row of the widest error bar (MacKay, Neural Computation 1992)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard

from ..track import GreedyDesign


class MaxVariance(GreedyDesign):
    """Take the row about whose label the regression knows least: the
    largest information on its weights.
    """

    card: ClassVar = MethodCard(
        name="max-variance",
        title="The row of the widest error bar",
        track="experimental-design",
        paper="Information-Based Objective Functions for Active Data Selection, Neural "
        "Computation 4(4), 1992",
        bibtex="""@article{mackay1992information,
  title = {Information-Based Objective Functions for Active Data Selection},
  author = {MacKay, David J. C.},
  journal = {Neural Computation},
  volume = {4},
  number = {4},
  year = {1992}
}""",
        claim="The most is learnt about the weights where the error bars are largest, which may "
        "be far from where predictions are wanted.",
    )

    def gain(self, kernel: torch.Tensor, ridge: float) -> torch.Tensor:
        """k_xx; the information is log(1 + k_xx / r) / 2, which grows with it."""
        return kernel.diagonal()
