"""Rows that leave no row far from a known one (arXiv:1708.00489)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.active_learning import ActiveMethod, View

from ._geometry import farthest_first, nearest, to


class CoreSet(ActiveMethod):
    """Ask, again and again, the row farthest from all that are known or asked."""

    card: ClassVar = MethodCard(
        name="coreset",
        title="Core-set (k-center)",
        track="active-learning",
        paper="arXiv:1708.00489",
        bibtex="""@inproceedings{sener2018active,
  title = {Active Learning for Convolutional Neural Networks: A Core-Set Approach},
  author = {Sener, Ozan and Savarese, Silvio},
  booktitle = {ICLR},
  year = {2018},
  eprint = {1708.00489},
  archivePrefix = {arXiv}
}""",
        claim="Rows that cover the pool need fewer labels than rows at random or uncertain ones.",
        official_code="ok",
        deviates="The greedy algorithm alone, without the integer programme that improves it.",
        stacked=True,
        defaults_from="paper",
    )

    def ask(self, state: None, view: View) -> torch.Tensor:
        """Return the open rows (count,) of algorithm 1, in the space of the last hidden layer."""
        best, _ = nearest(view.hidden, view.features(view.known))
        return view.open[farthest_first(to(view.hidden), best, view.count)]
