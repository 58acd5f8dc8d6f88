"""Hard ASH (arXiv:2404.17651)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard

from ._ash import WideNet, above


class HardAsh(WideNet):
    """Units give clip(h, 0, 2) relu6(alpha (h - mu - z s) + 3) / 6, so that few of them are on and
    learn.
    """

    card: ClassVar = MethodCard(
        name="hard-ash",
        title="Hard ASH with Adagrad",
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
        claim="Sparse units and an adaptive optimiser learn a stream without a memory or task "
        "boundaries as well as methods made for it.",
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
        """Return clip(h, 0, 2) relu6(alpha (h - mu - z s) + 3) / 6."""
        gate = torch.nn.functional.relu6(above(h, self.alpha, self.z) + 3) / 6
        return h.clamp(0, 2) * gate
