"""Adaptive swish (arXiv:2404.17651)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard

from ._ash import WideNet, above


class Ash(WideNet):
    """Units give h sigmoid(alpha (h - mu - z s)): the soft form of Hard ASH."""

    card: ClassVar = MethodCard(
        name="ash",
        title="ASH with Adagrad",
        track="continual",
        paper="arXiv:2404.17651",
        bibtex="""@article{keskinen2024hard,
  title = {Hard {ASH}: Sparsity and the right optimizer make a continual learner},
  author = {Keskinen, Santtu},
  journal = {arXiv preprint},
  year = {2024},
  eprint = {2404.17651},
  archivePrefix = {arXiv}
}""",
        claim="The soft form is sparse, too, and forgets more than the hard one.",
        official_code="ok",
        deviates="The rate is 15 times the authors', whose batches are six times as large.",
        signal="none",
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lr": (1e-3, 3e-3, 1e-2)},
    )
    alpha: Annotated[float, Meta(gt=0)] = 3.0
    """How steeply a unit goes on."""
    z: Annotated[float, Meta()] = 2.3
    """Standard deviations above the mean of its row from which a unit is on."""

    def activate(self, h: torch.Tensor) -> torch.Tensor:
        """Return h sigmoid(alpha (h - mu - z s))."""
        return h * above(h, self.alpha, self.z).sigmoid()
