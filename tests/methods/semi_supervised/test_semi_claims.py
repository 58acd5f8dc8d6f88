"""What is claimed of few labels, written down before the runs: ten seeds from 200 on, default
presets, one-sided paired t tests, p adjusted by Holm over all of them.

``python -m pytest -s -m slow tests/methods/semi_supervised/test_semi_claims.py`` runs them. With
``BENCH_CLAIMS=DIR`` the records stay there, to be committed as
``docs/records/sweeps/semi-supervised-claims.jsonl``.
"""

from __future__ import annotations

import pytest
from claims import Claim, failed, failed_in, run_anew

TRACK = "semi-supervised"
CLAIMS = (
    # consistency under strong views makes much of a clean pool
    Claim(TRACK, "semi-digits", "lab4", "acc", "uda", "sup", 5.0),
    # among strangers pseudo-labels do harm: they are below strong views of labelled rows alone
    Claim(TRACK, "semi-mnist", "mismatch60", "acc", "sup-strong", "arazo", 3.0),
    # a pool of another source helps a method that asks no class of it
    Claim(TRACK, "semi-mnist", "other-source", "acc", "unmixmatch", "fixmatch"),
    # a moved pool helps few labels
    Claim(TRACK, "semi-gaussians", "m10-shift5", "acc", "self-training", "mean", 5.0),
    Claim(TRACK, "semi-gaussians", "m10-shift5", "acc", "robust-self-training", "self-training"),
    # a method is worth its name above the plain rows
    Claim(TRACK, "semi-digits", "lab4", "acc", "uda", "label-spreading"),
)
FAILED = {CLAIMS[1], CLAIMS[3], CLAIMS[5]}
"""Claims that did not hold when they were run: the page shows them with their interval."""
COMMITTED = "semi-supervised-claims"


def test_what_is_claimed_of_few_labels_holds_in_the_records_but_for_what_is_named():
    assert failed_in(COMMITTED, CLAIMS) == FAILED


@pytest.mark.slow
def test_what_is_claimed_of_few_labels_holds_in_new_runs_but_for_what_is_named(tmp_path):
    assert failed(run_anew(CLAIMS, tmp_path)) == FAILED
