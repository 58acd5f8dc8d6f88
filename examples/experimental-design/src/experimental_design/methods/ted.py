"""Transductive experimental design (Yu, Bi and Tresp, ICML 2006)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard

from ..track import GreedyDesign


class TransductiveDesign(GreedyDesign):
    """Take the row that lowers the variance summed over the pool the most."""

    card: ClassVar = MethodCard(
        name="ted",
        title="Transductive experimental design, one row after another",
        track="experimental-design",
        paper="Active Learning via Transductive Experimental Design, ICML 2006",
        bibtex="""@inproceedings{yu2006active,
  title = {Active Learning via Transductive Experimental Design},
  author = {Yu, Kai and Bi, Jinbo and Tresp, Volker},
  booktitle = {ICML},
  year = {2006}
}""",
        claim="Rows that say most about the rest of the pool give a better regression than "
        "random ones.",
    )

    def gain(self, kernel: torch.Tensor, ridge: float) -> torch.Tensor:
        """||K_x||^2 / (k_xx + r): by how much the trace of K falls."""
        return kernel.square().sum(0) / (kernel.diagonal() + ridge)
