"""What is claimed of label models, written down before the runs: ten seeds from 200 on, default
presets, one-sided paired t tests, p adjusted by Holm over all of them.

``python -m pytest -s -m slow tests/methods/weak_supervision/test_weak_claims.py`` runs them. With
``BENCH_CLAIMS=DIR`` the records stay there, to be committed as
``docs/records/sweeps/weak-supervision-claims.jsonl``.
"""

from __future__ import annotations

import pytest
from claims import Claim, failed, failed_in, run_anew

TRACK = "weak-supervision"
CLAIMS = (
    # sources of different accuracy are better weighed than counted
    Claim(TRACK, "weak-generated", "uneven", "label_acc", "dawid-skene", "majority", 2.0),
    Claim(TRACK, "weak-generated", "uneven", "label_acc", "label-model", "majority"),
    # and so are real lists of words
    Claim(TRACK, "weak-reviews", "rules", "label_acc", "label-model", "majority"),
)
FAILED: set[Claim] = set()
"""Claims that did not hold when they were run: the page shows them with their interval."""
COMMITTED = "weak-supervision-claims"


def test_what_is_claimed_of_label_models_holds_in_the_records_but_for_what_is_named():
    assert failed_in(COMMITTED, CLAIMS) == FAILED


@pytest.mark.slow
def test_what_is_claimed_of_label_models_holds_in_new_runs_but_for_what_is_named(tmp_path):
    assert failed(run_anew(CLAIMS, tmp_path)) == FAILED
