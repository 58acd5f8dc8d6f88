"""What problems and solutions of the newer tracks may be, like ``bench.tracks.RECORDS`` for the
others.

A module of its own: the file of ``RECORDS`` is in the keys of records, and a line there makes them
stale.
"""

from __future__ import annotations

NEWER: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "active-learning": (("active_learning:Problem",), ("active_learning:Solution",)),
    "adversarial": (("adversarial:Problem",), ("adversarial:Solution",)),
    "group-shift": (("group_shift:Problem",), ("group_shift:Solution",)),
    "input-attribution": (("input_attribution:Problem",), ("input_attribution:Solution",)),
    "long-tail": (("long_tail:Problem",), ("long_tail:Solution",)),
    "open-ended": (("open_ended:Problem",), ("open_ended:Solution",)),
    "positive-unlabeled": (("positive_unlabeled:Problem",), ("positive_unlabeled:Solution",)),
    "recipes": (("recipes:Problem",), ("recipes:Solution",)),
    "regression": (("regression:Problem",), ("regression:Solution",)),
    "semi-supervised": (("semi_supervised:Problem",), ("semi_supervised:Solution",)),
}
"""Track -> its types, ``module:type`` within ``bench.tracks``."""
