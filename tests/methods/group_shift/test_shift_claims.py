"""What is claimed of group shift, written down before the runs: ten seeds from 200 on, default
presets, one-sided paired t tests, p adjusted by Holm over all of them.

``python -m pytest -s -m slow tests/methods/group_shift/test_shift_claims.py`` runs them. With
``BENCH_CLAIMS=DIR`` the records stay there, to be committed as
``docs/records/sweeps/shift-claims.jsonl``.
"""

from __future__ import annotations

import pytest
from claims import Claim, failed, failed_in, run_anew

CLAIMS = (
    # known groups
    Claim("group-shift", "spurious-mnist", "rho95", "wga", "groupdro", "erm", 15.0),
    Claim("group-shift", "spurious-mnist", "rho95", "wga", "dfr", "erm", 15.0),
    Claim("group-shift", "spurious-mnist", "rho95", "wga", "groupdro", "erm-decay", 5.0),
    # at least three methods without groups
    Claim("group-shift", "spurious-mnist", "rho95", "wga", "mat", "erm", 5.0),
    Claim("group-shift", "spurious-mnist", "rho95", "wga", "poe", "erm", 5.0),
    Claim("group-shift", "spurious-mnist", "rho95", "wga", "selecmix", "erm", 5.0),
    Claim("group-shift", "spurious-mnist", "rho95", "wga", "jtt", "erm", 5.0),
    Claim("group-shift", "spurious-mnist", "rho95", "wga", "lff", "erm", 5.0),
    # labels have to be wrong for a penalty to pay
    Claim("group-shift", "noisy-environments", "eta25", "acc_test", "irm", "erm", 25.0),
    Claim("group-shift", "noisy-environments", "eta0", "acc_test", "erm", "irm", -1.0),
    # the easy feature explains four times what the hard one does, both being learned
    Claim("group-shift", "feature-bias", "parity3", "r2_excess", "erm", (), 0.0),
    Claim("group-shift", "feature-bias", "parity3", "acc_hard", "erm", (), 95.0),
)
FAILED = {CLAIMS[2], CLAIMS[7], CLAIMS[8]}
"""Claims that did not hold when they were run: the page shows them with their interval."""
COMMITTED = "shift-claims"


def test_what_is_claimed_of_group_shift_holds_in_the_committed_records_but_for_what_is_named():
    assert failed_in(COMMITTED, CLAIMS) == FAILED


@pytest.mark.slow
def test_what_is_claimed_of_group_shift_holds_in_new_runs_but_for_what_is_named(tmp_path):
    assert failed(run_anew(CLAIMS, tmp_path)) == FAILED
