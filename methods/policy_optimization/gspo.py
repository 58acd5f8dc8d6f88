"""Group sequence policy optimisation (arXiv:2507.18071)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from bench import Meta, MethodCard
from bench.tracks.policy_optimization import PolicyMethod


class Gspo(PolicyMethod):
    """GRPO with one importance ratio a sequence: the geometric mean of its tokens' ratios."""

    card: ClassVar = MethodCard(
        name="gspo",
        title="Group sequence policy optimisation",
        track="policy-optimization",
        paper="arXiv:2507.18071",
        bibtex="""@misc{zheng2025group,
  title = {Group Sequence Policy Optimization},
  author = {Zheng, Chujie and Liu, Shixuan and Li, Mingze and Chen, Xiong-Hui and Yu, Bowen and Gao,
    Chang and Dang, Kai and Liu, Yuqiong and Men, Rui and Yang, An and Zhou, Jingren and Lin,
    Junyang},
  year = {2025},
  eprint = {2507.18071},
  archivePrefix = {arXiv}
}""",
        claim="Trains more stably and more efficiently than GRPO.",
        official_code="none",
        deviates="The clip is .02 on both sides, for a small decoder (the paper's: 'settings'); "
        "two optimiser steps a batch, where the paper takes four.",
        defaults_from="here",
        trials=None,
    )
    settings: ClassVar = {"paper": {"clip_low": 3e-4, "clip_high": 4e-4}}
    level: Literal["token", "sequence"] = "sequence"
    """Whose importance ratio it is: one a sequence; ``token``: GRPO's."""
    clip_low: Annotated[float, Meta(ge=0, le=1)] = 0.02
    """The sequence's ratio is cut at 1 - this."""
    clip_high: Annotated[float, Meta(ge=0)] = 0.02
    """The sequence's ratio is cut at 1 + this."""
    aggregation: Literal["token", "completion", "sequence", "constant"] = "sequence"
    """What the loss divides by; the paper's is the mean over sequences."""
