"""What is claimed of methods that get an estimated noise rate instead of the true one, written down
before the runs: ten seeds from 210 on, which no earlier comparison has used, one-sided paired t
tests, p adjusted by Holm over all of them. A claim says that the estimate costs less than 1.5
points.

``python -m pytest -s -m slow tests/methods/noisy_labels/test_estimated_claims.py`` runs them. With
``BENCH_CLAIMS=DIR`` the records stay there, to be committed as
``docs/records/sweeps/estimated-claims.jsonl``.
"""

from __future__ import annotations

import pytest
from claims import Claim, failed, failed_in, run_anew

SEEDS = range(210, 220)
MOST = 1.5
"""Points of accuracy that the estimate may cost."""
CLAIMS = tuple(
    Claim("noisy-labels", "noisy-digits", variant, "acc_last", f"{name}-estimated", name, -MOST)
    for name in ("coteaching", "dividemix", "late-stopping")
    for variant in ("sym40", "asym40")
)
FAILED: set[Claim] = set()
"""Claims that did not hold when they were run: the page shows them with their interval."""
COMMITTED = "estimated-claims"


def test_what_is_claimed_of_estimated_rates_holds_in_the_committed_records_but_for_what_is_named():
    assert failed_in(COMMITTED, CLAIMS, SEEDS) == FAILED


@pytest.mark.slow
def test_what_is_claimed_of_estimated_rates_holds_in_new_runs_but_for_what_is_named(tmp_path):
    assert failed(run_anew(CLAIMS, tmp_path, SEEDS)) == FAILED
