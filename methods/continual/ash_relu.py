"""The net of Hard ASH with ReLU (arXiv:2404.17651): what its units add."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard

from ._ash import WideNet


class AshRelu(WideNet):
    """The same net and optimiser; units give max(h, 0)."""

    card: ClassVar = MethodCard(
        name="ash-relu",
        title="The net of Hard ASH with ReLU",
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
        claim="Without sparse units the same net and optimiser forget.",
        signal="none",
        plain=True,
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lr": (1e-3, 3e-3, 1e-2)},
    )

    def activate(self, h: torch.Tensor) -> torch.Tensor:
        """Return max(h, 0)."""
        return h.relu()
