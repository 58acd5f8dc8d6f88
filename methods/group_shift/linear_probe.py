"""A linear head on a trained net."""

from __future__ import annotations

from typing import Any, ClassVar

from bench import MethodCard

from ._finetune import HeadOnly, load


class LinearProbe(HeadOnly):
    """Leave the trained net as it is, and fit the last layer."""

    card: ClassVar = MethodCard(
        name="linear-probe",
        title="Linear probe of a trained net",
        track="group-shift",
        official_code="none",
        needs=("pretrained",),
        signal="features",
        stacked=True,
        plain=True,
        defaults_from="here",
    )

    def start(self, seeds: Any) -> None:
        """Put the trained body below the head."""
        load(seeds)
