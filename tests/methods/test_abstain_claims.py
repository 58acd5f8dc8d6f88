"""What is claimed of the expected perturbation score against attacks, and of a net that predicts
rewards against corruptions; written down before the runs: ten seeds from 200 on, one-sided paired t
tests, p adjusted by Holm over all of them.

``python -m pytest -s -m slow tests/methods/test_abstain_claims.py`` runs them. With
``BENCH_CLAIMS=DIR`` the records stay there, to be committed as
``docs/records/sweeps/abstain-claims.jsonl``.
"""

from __future__ import annotations

import pytest
from claims import Claim, failed, failed_in, run_anew

ATTACKED = ("ood-detection", "adversarial-mnist", "mlp", "near_auroc")
RISKY = ("selective-prediction", "risky-mnist", "mlp", "reward")
CLAIMS = (
    Claim(*ATTACKED, "eps", "msp"),
    Claim(*RISKY, "reward-net", "argmax"),
    Claim(*RISKY, "reward-net", "max-prob"),
)
FAILED: set[Claim] = {CLAIMS[2]}
"""Claims that did not hold when they were run: the page shows them with their interval."""
COMMITTED = "abstain-claims"


def test_what_is_claimed_of_attacks_and_abstention_holds_in_the_records_but_for_what_is_named():
    assert failed_in(COMMITTED, CLAIMS) == FAILED


@pytest.mark.slow
def test_what_is_claimed_of_attacks_and_abstention_holds_in_new_runs_but_for_what_is_named(
    tmp_path,
):
    assert failed(run_anew(CLAIMS, tmp_path)) == FAILED
