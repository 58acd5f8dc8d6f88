"""Rows on which nets with dropout disagree (arXiv:1112.5745, arXiv:1703.02910)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.active_learning import ActiveMethod, View

from ._dropout import disagreement


class Bald(ActiveMethod):
    """Ask the rows whose label says most about which dropout mask is right."""

    card: ClassVar = MethodCard(
        name="bald",
        title="Disagreement under dropout (BALD)",
        track="active-learning",
        paper="arXiv:1703.02910",
        bibtex="""@inproceedings{gal2017deep,
  title = {Deep Bayesian Active Learning with Image Data},
  author = {Gal, Yarin and Islam, Riashat and Ghahramani, Zoubin},
  booktitle = {ICML},
  year = {2017},
  eprint = {1703.02910},
  archivePrefix = {arXiv}
}""",
        claim="Disagreement of nets with dropout picks better rows than uncertainty of one net.",
        deviates="Dropout before the last layer alone, as the task trains, and the same mask for "
        "all rows; 16 masks.",
        needs=("classes",),
        stacked=True,
        defaults_from="here",
    )
    masks: Annotated[int, Meta(ge=2)] = 16
    """Dropout masks."""

    def ask(self, state: None, view: View) -> torch.Tensor:
        """Return the open rows (count,) of the highest H(E p) - E H(p), eq. 3 of
        arXiv:1112.5745.
        """
        return view.highest(disagreement(view.dropped(self.masks)))
