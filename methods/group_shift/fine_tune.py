"""Fine-tuning of a trained net."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard

from ._finetune import FineTuned


class FineTune(FineTuned):
    """Fit the head, then train all layers."""

    card: ClassVar = MethodCard(
        name="fine-tune",
        title="Fine-tuning of a trained net, head first",
        track="group-shift",
        official_code="none",
        needs=("pretrained",),
        signal="features",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
