"""What is claimed of estimates of accuracy, written down before the runs: ten seeds from 200 on,
default presets, one-sided paired t tests, p adjusted by Holm over all of them.

Errors are compared, so that ``better`` of a claim is the method with the larger one.

``python -m pytest -s -m slow tests/methods/accuracy_estimation/test_estimation_claims.py`` runs them. With
``BENCH_CLAIMS=DIR`` the records stay there, to be committed as
``docs/records/sweeps/accuracy-estimation-claims.jsonl``.
"""

from __future__ import annotations

import pytest
from claims import Claim, failed, failed_in, run_anew

TRACK = "accuracy-estimation"
CLAIMS = (
    # confidence leaves less than .8 of the error of the accuracy elsewhere
    Claim(TRACK, "estimate-mnist", "mlp", "mae", "source-acc", (("atc", 1.25),)),
    # adaptation without labels beats confidence
    Claim(TRACK, "estimate-mnist", "mlp", "mae", "atc", "sf-pseudo"),
    Claim(TRACK, "estimate-mnist", "mlp", "mae", "atc", "sf-dap"),
)
FAILED: set[Claim] = set()
"""Claims that did not hold when they were run: the page shows them with their interval."""
COMMITTED = "accuracy-estimation-claims"


def test_what_is_claimed_of_estimates_holds_in_the_records_but_for_what_is_named():
    assert failed_in(COMMITTED, CLAIMS) == FAILED


@pytest.mark.slow
def test_what_is_claimed_of_estimates_holds_in_new_runs_but_for_what_is_named(tmp_path):
    assert failed(run_anew(CLAIMS, tmp_path)) == FAILED
