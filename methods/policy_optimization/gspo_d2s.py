"""D2S on group sequence policy optimisation (arXiv:2509.22115, arXiv:2507.18071)."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard

from ._dual_level import BIBTEX, ON_GSPO
from .d2s import D2s
from .gspo import Gspo


class GspoD2s(Gspo, D2s):
    """D2S's choice of rollouts and tokens, with GSPO's ratio, clip and mean over sequences."""

    card: ClassVar = MethodCard(
        name="gspo-d2s",
        title="D3S without its schedule, on GSPO",
        track="policy-optimization",
        paper="arXiv:2509.22115",
        bibtex=BIBTEX,
        official_code="none",
        deviates=ON_GSPO,
        defaults_from="here",
        trials=None,
    )
