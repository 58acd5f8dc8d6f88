"""What is claimed of scores of rows, written down before the runs: ten seeds from 200 on, default
presets, one-sided paired t tests, p adjusted by Holm over all of them.

``python -m pytest -s -m slow tests/methods/ood_detection/test_ood_claims.py`` runs them. With
``BENCH_CLAIMS=DIR`` the records stay there, to be committed as
``docs/records/sweeps/ood-claims.jsonl``.
"""

from __future__ import annotations

import pytest
from claims import Claim, failed, failed_in, run_anew

TRACK = "ood-detection"
CLAIMS = (
    Claim(TRACK, "ood-mnist", "cnn", "near_auroc", "knn", "msp", 2.0),
    Claim(TRACK, "ood-mnist", "cnn", "near_auroc", "relative-mahalanobis", "msp", 2.0),
    Claim(TRACK, "ood-mnist", "cnn", "near_auroc", "msp", "mahalanobis", 0.0),
    Claim(TRACK, "ood-mnist", "cnn", "auroc_digits", "mahalanobis", (), 98.0),
    Claim(TRACK, "ood-mnist", "cnn", "auroc_patches", "mahalanobis", (), 98.0),
    Claim(TRACK, "ood-wild", "near-pi10", "near_auroc", "sal", "energy", 0.0),
    Claim(TRACK, "ood-wild", "near-pi10", "near_auroc", "oracle", "sal", 0.0),
    Claim(TRACK, "ood-wild", "near-pi10", "near_auroc", "sal", "wild-as-ood", 0.0),
)
FAILED: set[Claim] = set()
"""Claims that did not hold when they were run: the page shows them with their interval."""
COMMITTED = "ood-claims"


def test_what_is_claimed_of_scores_of_rows_holds_in_the_committed_records_but_for_what_is_named():
    assert failed_in(COMMITTED, CLAIMS) == FAILED


@pytest.mark.slow
def test_what_is_claimed_of_scores_of_rows_holds_in_new_runs_but_for_what_is_named(tmp_path):
    assert failed(run_anew(CLAIMS, tmp_path)) == FAILED
