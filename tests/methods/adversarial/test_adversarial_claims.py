"""What is claimed of adversarial training and of mixtures in regression, written down before the
runs: ten seeds from 200 on, default presets, one-sided paired t tests, p adjusted by Holm over all
of them.

``python -m pytest -s -m slow tests/methods/adversarial/test_adversarial_claims.py`` runs them. With
``BENCH_CLAIMS=DIR`` the records stay there, to be committed as
``docs/records/sweeps/adversarial-claims.jsonl``.
"""

from __future__ import annotations

import pytest
from claims import Claim, failed, failed_in, run_anew

EPS15 = ("adversarial", "robust-digits", "eps15")
EPS25 = ("adversarial", "robust-digits", "eps25")
WAVES = ("regression", "waves", "noise01", "rmse")
CLAIMS = (
    Claim(*EPS15, "robust", "pgd-at", "fgsm-at", 3.0),
    Claim(*EPS15, "robust", "", (("plain", 1.0),), -20.0),
    # single steps collapse: they find nothing any more, and stronger attacks break nearly all rows
    Claim(*EPS25, ("fgsm", "robust"), "fgsm-at", "fgsm-at", 30.0),
    Claim(*EPS25, "co_gap", "", (("pgd-at", 1.0),), -30.0),
    # mixtures of far rows harm where the function is curved, mixtures of near ones less
    Claim(*WAVES, "mixup", "plain"),
    Claim(*WAVES, "mixup", "knn-mixup"),
    Claim(*WAVES, "mixup", "regmix"),
)
FAILED: set[Claim] = set()
"""Claims that did not hold when they were run: the page shows them with their interval."""
COMMITTED = "adversarial-claims"


def test_what_is_claimed_of_attacks_and_mixtures_holds_in_the_committed_records_but_for_what_is_named():
    assert failed_in(COMMITTED, CLAIMS) == FAILED


@pytest.mark.slow
def test_what_is_claimed_of_attacks_and_mixtures_holds_in_new_runs_but_for_what_is_named(tmp_path):
    assert failed(run_anew(CLAIMS, tmp_path)) == FAILED
