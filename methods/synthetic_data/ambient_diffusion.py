"""A denoiser of clean and noisy rows, each at noise above its own (arXiv:2411.02780)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.synthetic_diffusion import DiffusionMethod


class AmbientDiffusion(DiffusionMethod):
    """Learn from a row at no less noise than it has; there its noisy value is target enough."""

    card: ClassVar = MethodCard(
        name="ambient-diffusion",
        title="Clean and noisy rows, each at noise above its own",
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
        official_code="flawed",
        deviates="How much noise a row is learned from at is drawn from the law above its own "
        "noise. The authors' code raises lesser draws to it, which teaches nothing there; compat "
        "does so too. The denoiser is a perceptron, without the penalty on consistency.",
        needs=("sigma",),
        defaults_from="here",
    )
    settings: ClassVar = {"paper": {"compat": True}}
    compat: bool = False
    """Whether lesser draws are raised to a row's own noise, as in the authors' code."""

    def rows(self, x: torch.Tensor, sigma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return all rows (n, d), and the noise of each (n,)."""
        return x, sigma

    def clamps(self) -> bool:
        """Say whether lesser draws are raised."""
        return self.compat
