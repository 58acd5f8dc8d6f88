"""What is claimed of feasible learning where labels are right, written down before the runs: ten
seeds from 200 on, a one-sided paired t test.

``python -m pytest -s -m slow tests/methods/noisy_labels/test_tail_claims.py`` runs it. With
``BENCH_CLAIMS=DIR`` the records stay there, to be committed as
``docs/records/sweeps/tail-claims.jsonl``.
"""

from __future__ import annotations

import pytest
from claims import Claim, failed, failed_in, run_anew

CLAIMS = (
    # the paper: the worst losses fall; of a loss, the method with the larger one comes first
    Claim("noisy-labels", "digits-tail", "clean", "tail", "ce", "feasible"),
)
FAILED = set(CLAIMS)
"""Claims that did not hold when they were run: the page shows them with their interval."""
COMMITTED = "tail-claims"


def test_what_is_claimed_of_worst_rows_holds_in_the_committed_records_but_for_what_is_named():
    assert failed_in(COMMITTED, CLAIMS) == FAILED


@pytest.mark.slow
def test_what_is_claimed_of_worst_rows_holds_in_new_runs_but_for_what_is_named(tmp_path):
    assert failed(run_anew(CLAIMS, tmp_path)) == FAILED
