"""What is claimed of predictors of open-ended data, written down before the runs: ten seeds from
200 on, default presets, one-sided t tests, p adjusted by Holm over all of them.

``python -m pytest -s -m slow tests/methods/open_ended/test_open_ended_claims.py`` runs them. With
``BENCH_CLAIMS=DIR`` the records stay there, to be committed as
``docs/records/sweeps/open-ended-claims.jsonl``.
"""

from __future__ import annotations

import pytest
from claims import Claim, failed, failed_in, run_anew

PURITY = ("open-ended", "mixed-functions")
CLAIMS = (
    Claim(*PURITY, "k3", "purity", "osl", (), 95.0),
    Claim(*PURITY, "k3", "purity", "", (("erm", 1.0),), -50.0),
    Claim(*PURITY, "noisy", "purity", "osl", "row-wise"),
)
FAILED: set[Claim] = set()
"""Claims that did not hold when they were run: the page shows them with their interval."""
COMMITTED = "open-ended-claims"


def test_what_is_claimed_of_open_ended_data_holds_in_the_committed_records_but_for_what_is_named():
    assert failed_in(COMMITTED, CLAIMS) == FAILED


@pytest.mark.slow
def test_what_is_claimed_of_open_ended_data_holds_in_new_runs_but_for_what_is_named(tmp_path):
    assert failed(run_anew(CLAIMS, tmp_path)) == FAILED
