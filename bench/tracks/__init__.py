"""The tracks: what a problem and a solution are, and what methods share."""

from __future__ import annotations

RECORDS = {
    "adversarial": (("adversarial:Problem",), ("adversarial:Solution",)),
    "condensation": (("condensation:Problem",), ("condensation:SmallSet",)),
    "condensation-calibration": (("condensation:Problem",), ("condensation:SmallSet",)),
    "graph-ood": (("graph_ood:Problem",), ("graph_ood:Solution",)),
    "group-shift": (("group_shift:Problem",), ("group_shift:Solution",)),
    "input-attribution": (("input_attribution:Problem",), ("input_attribution:Solution",)),
    "label-errors": (("noisy_labels:Problem",), ("label_errors:Solution", "noisy_labels:Solution")),
    "long-tail": (("long_tail:Problem",), ("long_tail:Solution",)),
    "noisy-labels": (("noisy_labels:Problem",), ("noisy_labels:Solution",)),
    "open-ended": (("open_ended:Problem",), ("open_ended:Solution",)),
    "policy-optimization": (
        (
            "policy_optimization.problem:PolicyProblem",
            "policy_optimization.language:LanguageProblem",
        ),
        ("policy_optimization.solution:Solution",),
    ),
    "positive-unlabeled": (("positive_unlabeled:Problem",), ("positive_unlabeled:Solution",)),
    "privacy-audit": (("privacy_audit:Problem",), ("privacy_audit:Solution",)),
    "recipes": (("recipes:Problem",), ("recipes:Solution",)),
    "regression": (("regression:Problem",), ("regression:Solution",)),
    "selection": (("selection:Problem",), ("selection:Selection",)),
    "semi-supervised": (("semi_supervised:Problem",), ("semi_supervised:Solution",)),
    **dict.fromkeys(
        ("unlearning-correction", "unlearning-privacy", "unlearning-regression"),
        (("unlearning.problem:Problem",), ("unlearning.problem:Solution",)),
    ),
}
"""Track -> what its problem may be, and what its solution may be: ``module:type`` within this
package.

Tasks of other tracks say it in ``accepts``.
"""
