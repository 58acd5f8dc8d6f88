"""D1S on group sequence policy optimisation (arXiv:2509.22115, arXiv:2507.18071)."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard

from ._dual_level import BIBTEX, ON_GSPO
from .d1s import D1s
from .gspo import Gspo


class GspoD1s(Gspo, D1s):
    """D1S's choice of rollouts, with GSPO's ratio, clip and mean over sequences."""

    card: ClassVar = MethodCard(
        name="gspo-d1s",
        title="Sample level of D3S within groups, on GSPO",
        track="policy-optimization",
        paper="arXiv:2509.22115",
        bibtex=BIBTEX,
        official_code="none",
        deviates=ON_GSPO,
        defaults_from="here",
        trials=None,
    )
