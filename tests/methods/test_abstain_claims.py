"""What is claimed of the expected perturbation score against attacks, and of a net that predicts
rewards against corruptions; written down before the runs: ten seeds from 200 on, one-sided paired t
tests, p adjusted by Holm over all of them.

``python -m pytest -s -m slow tests/methods/test_abstain_claims.py`` runs them and prints the table.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from claims import Claim, adjusted, failed, gains, run_anew

from bench.runs.transfer import records_of

ATTACKED = ("ood-detection", "adversarial-mnist", "mlp", "near_auroc")
RISKY = ("selective-prediction", "risky-mnist", "mlp", "reward")
CLAIMS = (
    Claim(*ATTACKED, "eps", "msp"),
    Claim(*RISKY, "reward-net", "argmax"),
    Claim(*RISKY, "reward-net", "max-prob"),
)
FAILED: set[tuple[str, str]] = set()
"""Claims that did not hold when they were run: the page shows them with their interval."""
PENDING = True
"""Whether the runs are still to come; then there are no committed records."""
COMMITTED = Path(__file__).resolve().parents[2] / "docs/records/sweeps/abstain-claims.jsonl"


def test_what_is_claimed_of_attacks_and_abstention_holds_in_the_records_but_for_what_is_named():
    if PENDING:
        assert not COMMITTED.exists()
        return
    records = [record for _, record in records_of(COMMITTED)]
    assert failed(adjusted(gains(CLAIMS, records))) == FAILED


@pytest.mark.slow
def test_what_is_claimed_of_attacks_and_abstention_holds_in_new_runs_but_for_what_is_named(
    tmp_path,
):
    assert failed(run_anew(CLAIMS, tmp_path)) == FAILED
