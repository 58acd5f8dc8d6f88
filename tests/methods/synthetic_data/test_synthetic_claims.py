"""What is claimed of synthetic and noisy data, written down before the runs: ten seeds from 200 on,
default presets, one-sided paired t tests, p adjusted by Holm over all of them.

``python -m pytest -s -m slow tests/methods/synthetic_data/test_synthetic_claims.py`` runs them. With
``BENCH_CLAIMS=DIR`` the records stay there, to be committed as
``docs/records/sweeps/synthetic-data-claims.jsonl``.
"""

from __future__ import annotations

import pytest
from claims import Claim, failed, failed_in, run_anew

CHAIN = ("synthetic-data", "collapse-regression")
MIXED = ("synthetic-data", "clean-and-noisy")
# figures are errors: ``better`` of a claim is the method with the larger one
CLAIMS = (
    # a chain of least squares loses as much again in every generation, and rows of all generations
    # together lose less
    Claim(*CHAIN, "iso", "excess", "ols", "accumulate", 1.0),
    Claim(*CHAIN, "power", "excess", "ols", "accumulate"),
    Claim(*CHAIN, "iso", "excess", "ols", "mix-real"),
    # clean and noisy rows together are better than the clean ones alone, and than all taken for
    # clean
    Claim(*MIXED, "noise1", "error", "clean-only", "ambient-mix"),
    Claim(*MIXED, "noise2", "error", "clean-only", "ambient-mix"),
    Claim(*MIXED, "noise1", "error", "pooled", "ambient-mix"),
    Claim(*MIXED, "noise2", "error", "pooled", "ambient-mix"),
)
FAILED: set[Claim] = set()
"""Claims that did not hold when they were run: the page shows them with their interval."""
COMMITTED = "synthetic-data-claims"


def test_what_is_claimed_holds_in_the_committed_records_but_for_what_is_named():
    assert failed_in(COMMITTED, CLAIMS) == FAILED


@pytest.mark.slow
def test_what_is_claimed_holds_in_new_runs_but_for_what_is_named(tmp_path):
    assert failed(run_anew(CLAIMS, tmp_path)) == FAILED
