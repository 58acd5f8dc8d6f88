"""What is claimed of synthetic and noisy data, written down before the runs: ten seeds from 200 on,
default presets, one-sided paired t tests, p adjusted by Holm over all of them.

``python -m pytest -s -m slow tests/methods/synthetic_data/test_synthetic_claims.py`` runs them.
With ``BENCH_CLAIMS`` the records stay in that folder, and what is there is not run again.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from claims import Claim, adjusted, failed, gains, run_anew

from bench.runs.transfer import records_of

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
    Claim(*MIXED, "noise2", "error", "pooled", "ambient-mix"),
)
FAILED: set[tuple[str, str]] = set()
"""(better, other) of claims that did not hold when they were run."""
COMMITTED = Path(__file__).resolve().parents[3] / "docs/records/sweeps/synthetic-data-claims.jsonl"
PENDING = set(CLAIMS)
"""Claims whose runs are not committed yet."""


def committed():
    """Return the claims whose runs are committed, with their gains."""
    records = [one for _, one in records_of(COMMITTED)] if COMMITTED.is_file() else []
    ready = [claim for claim in CLAIMS if claim not in PENDING]
    return gains(ready, records)


def test_what_is_pending_has_no_committed_record_and_what_is_not_has_all():
    assert COMMITTED.is_file() != (set(CLAIMS) == PENDING)
    assert set(committed()) == set(CLAIMS) - PENDING


def test_what_is_claimed_holds_in_the_committed_records_but_for_what_is_named():
    gained = committed()
    assert (failed(adjusted(gained)) if gained else set()) == FAILED


@pytest.mark.slow
def test_what_is_claimed_holds_in_new_runs_but_for_what_is_named(tmp_path):
    p_values = run_anew(CLAIMS, tmp_path)
    assert failed(p_values) - {(claim.better, claim.other) for claim in PENDING} == FAILED
