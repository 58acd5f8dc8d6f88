"""D3S on group sequence policy optimisation (arXiv:2509.22115, arXiv:2507.18071)."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard

from ._dual_level import BIBTEX, ON_GSPO
from .d3s import D3s
from .gspo import Gspo


class GspoD3s(Gspo, D3s):
    """D3S's choice of rollouts and tokens, with GSPO's ratio, clip and mean over sequences."""

    card: ClassVar = MethodCard(
        name="gspo-d3s",
        title="Dynamic dual-level down-sampling on GSPO",
        track="policy-optimization",
        paper="arXiv:2509.22115",
        bibtex=BIBTEX,
        claim="Reaches GSPO's accuracy 5.51 times as fast, and ends above it.",
        official_code="none",
        deviates=ON_GSPO,
        defaults_from="here",
        trials=None,
    )
