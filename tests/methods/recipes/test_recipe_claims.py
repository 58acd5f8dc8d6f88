"""What is claimed of training recipes and long tails, written down before the runs: ten seeds from
200 on, default presets, one-sided paired t tests, p adjusted by Holm over all of them.

``python -m pytest -s -m slow tests/methods/recipes/test_recipe_claims.py`` runs them. With
``BENCH_CLAIMS=DIR`` the records stay there, to be committed as
``docs/records/sweeps/recipe-claims.jsonl``. ``wrong-sign`` is a mistake on purpose, in a plugin
beside this file.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from claims import Claim, failed, failed_in, run_anew

FEW, TAIL = ("recipes", "few-digits", "n200"), ("long-tail", "tail-digits", "r30")
CLAIMS = (
    Claim(*FEW, "acc", "trivial-augment", "plain", 2.0),
    Claim(*FEW, "acc", "midpoint-mixup", "plain", 1.0),
    Claim(*FEW, "acc", "cutmix", "plain", 1.0),
    # soft labels are underconfident, which one temperature mends
    Claim(*FEW, "ece", "ls", (("plain", 3.0),)),
    Claim(*FEW, "ece_ts", "plain", "ls", -0.5),
    Claim(*TAIL, "bal_acc", "logit-adjust", "plain", 2.5),
    Claim(*TAIL, "bal_acc", "logit-adjust", "class-weights", 1.0),
    Claim(*TAIL, "ece", "wrong-sign", (("encouraging-loss", 3.0),)),
)
FAILED = {CLAIMS[1], CLAIMS[2], CLAIMS[6], CLAIMS[7]}
"""Claims that did not hold when they were run: the page shows them with their interval."""
COMMITTED = "recipe-claims"
PLANTED = Path(__file__).with_name("wrong_sign.py")


def test_what_is_claimed_of_recipes_holds_in_the_committed_records_but_for_what_is_named():
    assert failed_in(COMMITTED, CLAIMS) == FAILED


@pytest.mark.slow
def test_what_is_claimed_of_recipes_holds_in_new_runs_but_for_what_is_named(tmp_path):
    assert failed(run_anew(CLAIMS, tmp_path, plugins=[PLANTED])) == FAILED
