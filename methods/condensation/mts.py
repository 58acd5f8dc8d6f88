"""Masked temperature scaling (arXiv:2307.12463), in our reading."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from bench import Meta, MethodCard, Run
from bench.tracks.condensation import Problem, SmallSet

from ._masked import CALIBRATION, TUNING
from .dm import DistributionMatching


class MaskedTemperature(DistributionMatching):
    """The set of distribution matching, whose nets get a temperature fitted on validation logits of
    which a share is masked.

    Accuracy is that of ``dm`` to the bit: a temperature moves no prediction.
    """

    card: ClassVar = MethodCard(
        name="mts",
        title="Masked temperature scaling on distribution matching",
        track=("condensation", "condensation-calibration"),
        paper="arXiv:2307.12463",
        bibtex=CALIBRATION,
        official_code="none",
        deviates="Our reading of the abstract, no code being public: a random share of the "
        "validation logits is zeroed while the temperature is fitted.",
        defaults_from="here",
        tuning=TUNING,
    )
    masked: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    """Share of the validation logits that is set to zero."""

    def solve(self, problem: Problem, run: Run) -> SmallSet:
        """Return the set of dm with the wish for a temperature."""
        return msgspec.structs.replace(super().solve(problem, run), masked=self.masked)
