"""Midpoint mixup (arXiv:2210.13512)."""

from __future__ import annotations

import math
from typing import ClassVar

from bench import MethodCard
from bench.training.mixing import Mixing


class MidpointMixup(Mixing):
    """Train on (x + x') / 2 with the targets (y + y') / 2: mixup with alpha to infinity."""

    card: ClassVar = MethodCard(
        name="midpoint-mixup",
        title="Midpoint mixup",
        track="recipes",
        paper="arXiv:2210.13512",
        bibtex="""@inproceedings{chidambaram2023provably,
  title = {Provably Learning Diverse Features in Multi-View Data with Midpoint Mixup},
  author = {Chidambaram, Muthu and Wang, Xiang and Wu, Chenwei and Ge, Rong},
  booktitle = {ICML},
  year = {2023},
  eprint = {2210.13512},
  archivePrefix = {arXiv}
}""",
        claim="Where a class has several features, midpoints make a net learn all of them, and "
        "plain training one.",
        deviates="The abstract alone was read; rate and schedule are the task's.",
        signal="none",
        stacked=True,
        defaults_from="paper",
    )

    @property
    def concentration(self) -> float:
        """Return infinity: all weights are 1/2."""
        return math.inf
