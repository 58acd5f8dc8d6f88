"""What problems and solutions of the newer tracks may be, like ``bench.tracks.RECORDS`` for the
others.

A module of its own: the file of ``RECORDS`` is in the keys of records, and a line there makes them
stale.
"""

from __future__ import annotations

NEWER: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "adversarial": (("adversarial:Problem",), ("adversarial:Solution",)),
    "group-shift": (("group_shift:Problem",), ("group_shift:Solution",)),
    "imputation": (("imputation:Problem",), ("imputation:Imputed",)),
    "input-attribution": (("input_attribution:Problem",), ("input_attribution:Solution",)),
    "long-tail": (("long_tail:Problem",), ("long_tail:Solution",)),
    "missing-data": (("missing_data:Problem",), ("missing_data:Solution",)),
    "open-ended": (("open_ended:Problem",), ("open_ended:Solution",)),
    "positive-unlabeled": (("positive_unlabeled:Problem",), ("positive_unlabeled:Solution",)),
    "recipes": (("recipes:Problem",), ("recipes:Solution",)),
    "regression": (("regression:Problem",), ("regression:Solution",)),
    "semi-supervised": (("semi_supervised:Problem",), ("semi_supervised:Solution",)),
}
"""Track -> its types, ``module:type`` within ``bench.tracks``."""
