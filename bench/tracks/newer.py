"""What problems and solutions of the newer tracks may be, like ``bench.tracks.RECORDS`` for the
others.

A module of its own: the file of ``RECORDS`` is in the keys of records, and a line there makes them
stale.
"""

from __future__ import annotations

NEWER: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "accuracy-estimation": (("accuracy_estimation:Problem",), ("accuracy_estimation:Solution",)),
    "active-learning": (("active_learning:Problem",), ("active_learning:Solution",)),
    "adversarial": (("adversarial:Problem",), ("adversarial:Solution",)),
    "algorithmic": (("algorithmic:Problem",), ("algorithmic:Solution",)),
    "continual": (("continual:Problem",), ("continual:Solution",)),
    "data-valuation": (("data_valuation:Problem",), ("data_valuation:Solution",)),
    "group-shift": (("group_shift:Problem",), ("group_shift:Solution",)),
    "imputation": (("imputation:Problem",), ("imputation:Imputed",)),
    "input-attribution": (("input_attribution:Problem",), ("input_attribution:Solution",)),
    "long-tail": (("long_tail:Problem",), ("long_tail:Solution",)),
    "noisy-regression": (("noisy_regression:Problem",), ("noisy_regression:Solution",)),
    "node-graphs": (("node_graphs:Problem",), ("node_graphs:Solution",)),
    "ood-detection": (
        ("ood_detection:Problem",),
        ("ood_detection:Solution", "fixed_model:Scored"),
    ),
    "missing-data": (("missing_data:Problem",), ("missing_data:Solution",)),
    "open-ended": (("open_ended:Problem",), ("open_ended:Solution",)),
    "poisoning": (("poisoning:Problem",), ("poisoning:Solution",)),
    "positive-unlabeled": (("positive_unlabeled:Problem",), ("positive_unlabeled:Solution",)),
    "recipes": (("recipes:Problem",), ("recipes:Solution",)),
    "regression": (("regression:Problem",), ("regression:Solution",)),
    "selective-prediction": (
        ("selective_prediction:Problem",),
        ("selective_prediction:Solution", "fixed_model:Scored"),
    ),
    "semi-supervised": (("semi_supervised:Problem",), ("semi_supervised:Solution",)),
    "weak-supervision": (("weak_supervision:Problem",), ("weak_supervision:Solution",)),
    "synthetic-data": (
        ("synthetic_data:Chain", "synthetic_data:Mixed", "synthetic_diffusion:Noised"),
        ("synthetic_data:Fitted", "synthetic_data:Centres", "synthetic_diffusion:Samples"),
    ),
    "target-shift": (("target_shift:Problem",), ("target_shift:Solution",)),
}
"""Track -> its types, ``module:type`` within ``bench.tracks``."""
