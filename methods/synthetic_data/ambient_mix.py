"""Clean and noisy rows together, each at its own level (arXiv:2411.02780)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.synthetic_data import CentreMethod


class AmbientMix(CentreMethod):
    """Fit one mixture to all rows, of which each has the variance that its level gives it."""

    card: ClassVar = MethodCard(
        name="ambient-mix",
        title="Clean and noisy rows, each at its level",
        track="synthetic-data",
        paper="arXiv:2411.02780",
        bibtex="""@inproceedings{daras2025how,
  title = {How much is a noisy image worth? Data Scaling Laws for Ambient Diffusion},
  author = {Daras, Giannis and Cherapanamjeri, Yeshwanth and Daskalakis, Constantinos},
  booktitle = {ICLR},
  year = {2025},
  eprint = {2411.02780},
  archivePrefix = {arXiv}
}""",
        claim="Few clean and many noisy rows together reach what many clean ones reach, where "
        "either part alone does not.",
        deviates="The paper trains diffusion models, whose loss counts a row at noise above its "
        "level alone. Here the model is a mixture of Gaussians, whose likelihood is exact at each "
        "level; the paper's theory is of such mixtures too.",
        needs=("levels",),
        defaults_from="here",
    )

    def rows(self, x: torch.Tensor, levels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return all rows (n, d), and the variance of each (n,)."""
        return x, 1 + levels.square()
