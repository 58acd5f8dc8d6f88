"""Which method its paper puts above which other."""

from __future__ import annotations

_NOISY = ("noisy-digits", "noisy-mnist")
_FEW, _TAILS = ("few-digits", "few-mnist"), ("tail-digits", "tail-mnist", "zipf-pairs")
_ATTACKED, _TARGETS = ("robust-digits",), ("friedman", "progression", "waves")
_BETTER_RECIPES = (
    "amp",
    "cutout",
    "dropout",
    "encouraging-loss",
    "ls",
    "mixup",
    "noise-pretrain",
    "sam",
    "trivial-augment",
    "weight-decay",
)
CLAIMED_ABOVE: dict[str, list[tuple[str, str, tuple[str, ...]]]] = {
    "noisy-labels": [
        ("gce", "ce", _NOISY),
        ("mixup", "ce", _NOISY),
        ("coteaching", "ce", _NOISY),
        ("elr", "ce", _NOISY),
        ("dividemix", "coteaching", _NOISY),
        ("dividemix", "mixup", _NOISY),
        ("elr-plus", "elr", _NOISY),
        ("sop", "ce", _NOISY),
        ("sop-plus", "sop", _NOISY),
        ("late-stopping", "coteaching", _NOISY),
        ("coteaching-estimated", "ce", _NOISY),
        ("dividemix-estimated", "coteaching-estimated", _NOISY),
        ("late-stopping-estimated", "coteaching-estimated", _NOISY),
        ("ce-large-batch", "ce", ("noisy-digits-hard",)),
        ("nested-coteaching", "ce", _NOISY),
        ("rcal-lite", "ce", ("noisy-longtail",)),
        ("rcal-lite", "coteaching", ("noisy-longtail",)),
        ("rcal-lite", "elr-plus", ("noisy-longtail",)),
        ("self-distill", "ce", _NOISY),
        ("rdcr", "ce", _NOISY),
        ("cl-prune", "ce", _NOISY),
    ],
    "condensation": [
        ("dc", "random", ("condense-digits",)),
        ("dsa", "dc", ("condense-digits",)),
        ("dcc", "dc", ("condense-digits",)),
        ("dsac", "dsa", ("condense-digits",)),
        ("dm", "dc", ("condense-digits",)),
        ("ncfm", "dm", ("condense-digits",)),
    ],
    "condensation-calibration": [
        ("mts", "temperature", ("condense-calibration",)),
        ("temperature-real", "dm", ("condense-calibration",)),
    ],
    "policy-optimization": [
        ("d3s", "grpo", ("clock-arithmetic",)),
        ("d3s", "pods", ("clock-arithmetic",)),
        ("entropy-top", "grpo", ("clock-arithmetic",)),
        ("gspo", "grpo", ("clock-arithmetic",)),
        ("gspo-d3s", "gspo", ("clock-arithmetic",)),
        ("incorrect", "grpo", ("clock-arithmetic",)),
        ("pods", "grpo", ("clock-arithmetic",)),
        ("pods", "random", ("clock-arithmetic",)),
    ],
    "recipes": [
        *((name, "plain", _FEW) for name in _BETTER_RECIPES),
        *((name, "mixup", _FEW) for name in ("cutmix", "decoupled-mixup", "manifold-mixup")),
        ("cutmix", "cutout", _FEW),
        ("asam", "sam", _FEW),
        ("midpoint-mixup", "mixup", ("two-views",)),
    ],
    "long-tail": [
        *((name, "plain", _TAILS) for name in ("class-weights", "resample", "encouraging-loss")),
        *((name, "plain", _TAILS) for name in ("drw", "ldam", "nc-long-tail")),
        *((name, "plain", _TAILS) for name in ("logit-adjust", "logit-adjust-post")),
        ("class-balanced", "class-weights", _TAILS),
        ("ldam-drw", "ldam", _TAILS),
        ("logit-adjust", "ldam", _TAILS),
    ],
    "adversarial": [
        *((name, "pgd-at", _ATTACKED) for name in ("avmixup", "mart", "trades")),
        *((name, "trades", _ATTACKED) for name in ("arow", "ltd")),
        *((name, "fgsm-at", _ATTACKED) for name in ("elle", "elle-a", "fgsm-rs", "pgd-at")),
        ("n-fgsm", "fgsm-rs", _ATTACKED),
        ("aaer", "n-fgsm", _ATTACKED),
    ],
    "regression": [
        *((name, "plain", _TARGETS) for name in ("dropout", "mixup", "regmix", "sam", "supremix")),
        *((name, "mixup", _TARGETS) for name in ("c-mixup", "manifold-mixup")),
    ],
}
"""Track -> which method its paper puts above which (``ce`` is also the teacher of
``self-distill``), and the tasks here that can tell.
"""
