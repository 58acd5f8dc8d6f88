"""What is claimed of target shift, written down before the runs: ten seeds from 200 on, default
presets, one-sided paired t tests, p adjusted by Holm over all of them.

Errors are compared, so that ``better`` of a claim is the method with the larger one.

``python -m pytest -s -m slow tests/methods/target_shift/test_target_shift_claims.py`` runs them;
with ``BENCH_CLAIMS=DIR`` the records stay there, to be committed as
``docs/records/sweeps/target-shift-claims.jsonl``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from claims import Claim, adjusted, failed, gains, run_anew

from bench.runs.transfer import records_of

TRACK = "target-shift"
CLAIMS = (
    # calibrated EM errs less than BBSE, and BBSE less than no correction
    Claim(TRACK, "label-shift-mnist", "alpha01", "mse_w", "bbse", "em"),
    Claim(TRACK, "label-shift-mnist", "alpha01", "mse_w", "none", "bbse"),
    # without calibration EM errs more
    Claim(TRACK, "label-shift-mnist", "alpha01", "mse_w", "em-saerens", "em"),
    # of .32, the error without a correction on other seeds, a fifth is .064
    Claim(TRACK, "target-shift-regression", "strong", "mse", "none", "retasa", 0.064),
    # with three inputs kernel means do better than our discretisation of ReTaSA
    Claim(TRACK, "target-shift-regression", "wide", "mse", "retasa", "kmm-ts"),
)
FAILED: set[tuple[str, str]] = set()
"""Claims that did not hold when they were run: the page shows them with their interval."""
PENDING = True
"""Whether the claims have not been run yet; the page says nothing of them then."""
COMMITTED = Path(__file__).resolve().parents[3] / "docs/records/sweeps/target-shift-claims.jsonl"


def test_what_is_claimed_of_target_shift_holds_in_the_records_but_for_what_is_named():
    assert COMMITTED.exists() != PENDING
    if PENDING:
        pytest.skip("the claims have not been run yet")
    gained = gains(CLAIMS, [record for _, record in records_of(COMMITTED)])
    assert failed(adjusted(gained)) == FAILED


@pytest.mark.slow
def test_what_is_claimed_of_target_shift_holds_in_new_runs_but_for_what_is_named(tmp_path):
    found = failed(run_anew(CLAIMS, tmp_path))
    assert PENDING or found == FAILED
