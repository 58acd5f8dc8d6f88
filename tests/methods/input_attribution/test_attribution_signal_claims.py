"""What is claimed of scores of pixels, written down before the runs: ten seeds from 200 on, default
presets, one-sided paired t tests, p adjusted by Holm over all of them.

``python -m pytest -s -m slow tests/methods/input_attribution/test_attribution_signal_claims.py`` runs them. With
``BENCH_CLAIMS=DIR`` the records stay there, to be committed as
``docs/records/sweeps/attribution-claims.jsonl``.
"""

from __future__ import annotations

import pytest
from claims import Claim, failed, failed_in, run_anew

CLAIMS = tuple(
    # a net that stands attacks shows the pixels that it reads more clearly
    Claim("input-attribution", task, ("robust", "standard"), metric, method, method, margin)
    for task, metric, method, margin in (
        ("block-mnist", "signal", "input-gradient", 10.0),
        ("block-mnist", "signal", "logit-gradient", 10.0),
        ("diffroar-mnist", "diffroar", "input-gradient", 0.0),
    )
)
FAILED: set[Claim] = set()
"""Claims that did not hold when they were run: the page shows them with their interval."""
COMMITTED = "attribution-claims"


def test_what_is_claimed_of_scores_holds_in_the_committed_records_but_for_what_is_named():
    assert failed_in(COMMITTED, CLAIMS) == FAILED


@pytest.mark.slow
def test_what_is_claimed_of_scores_holds_in_new_runs_but_for_what_is_named(tmp_path):
    assert failed(run_anew(CLAIMS, tmp_path)) == FAILED
