"""What is claimed of learners of rules, written down before the runs: ten seeds from 200 on,
default presets, one-sided paired t tests, p adjusted by Holm over all of them.

``python -m pytest -s -m slow tests/methods/algorithmic/test_algorithmic_claims.py`` runs them. With
``BENCH_CLAIMS=DIR`` the records stay there, to be committed as
``docs/records/sweeps/algorithmic-claims.jsonl``.
"""

from __future__ import annotations

import pytest
from claims import Claim, failed, failed_in, run_anew

TRACK = "algorithmic"
CLAIMS = (
    # weight decay finds the rule where half of the pairs are shown, plain training does not
    Claim(TRACK, "modular", "frac50", "acc", "weight-decay", "plain", 50.0),
    # with wrong labels, too: it corrects them, where plain training memorises all
    Claim(TRACK, "modular-noisy", "noise20", "acc", "weight-decay", "plain", 15.0),
    Claim(TRACK, "modular-noisy", "noise20", "corrected", "weight-decay", "plain", 90.0),
    Claim(TRACK, "modular-noisy", "noise20", "acc", "weight-decay", (), 95.0),
    Claim(TRACK, "modular-noisy", "noise20", "memorised", "", "weight-decay", -5.0),
    # a net takes the interpolator of least degree where it has seen no row
    Claim(TRACK, "gotu", "and", "output", "", "plain"),
    # units without a frequency hold the memory of wrong labels
    Claim(TRACK, "modular-noisy", "noise20", "corrected", "ipr-prune", "plain"),
    # rows by their negative signs teach a parity
    Claim(TRACK, "parity", "d10", "acc", "degree-curriculum", "plain", 10.0),
)
FAILED: set[Claim] = {CLAIMS[-1]}
"""Claims that did not hold when they were run: the page shows them with their interval."""
COMMITTED = "algorithmic-claims"


def test_what_is_claimed_of_learners_of_rules_holds_in_the_records_but_for_what_is_named():
    assert failed_in(COMMITTED, CLAIMS) == FAILED


@pytest.mark.slow
def test_what_is_claimed_of_learners_of_rules_holds_in_new_runs_but_for_what_is_named(tmp_path):
    assert failed(run_anew(CLAIMS, tmp_path)) == FAILED
