"""The tracks: what a problem and a solution are, and what methods share."""

from __future__ import annotations

RECORDS = {
    "condensation": (("condensation:Problem",), ("condensation:SmallSet",)),
    "condensation-calibration": (("condensation:Problem",), ("condensation:SmallSet",)),
    "graph-ood": (("graph_ood:Problem",), ("graph_ood:Solution",)),
    "label-errors": (("noisy_labels:Problem",), ("label_errors:Solution", "noisy_labels:Solution")),
    "noisy-labels": (("noisy_labels:Problem",), ("noisy_labels:Solution",)),
    "policy-optimization": (
        (
            "policy_optimization.problem:PolicyProblem",
            "policy_optimization.language:LanguageProblem",
        ),
        ("policy_optimization.solution:Solution",),
    ),
    "privacy-audit": (("privacy_audit:Problem",), ("privacy_audit:Solution",)),
    "selection": (("selection:Problem",), ("selection:Selection",)),
    **dict.fromkeys(
        ("unlearning-correction", "unlearning-privacy", "unlearning-regression"),
        (("unlearning.problem:Problem",), ("unlearning.problem:Solution",)),
    ),
}
"""Track -> what its problem may be, and what its solution may be: ``module:type`` within this
package.

Tasks of other tracks say it in ``accepts``.
"""
