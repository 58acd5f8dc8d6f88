"""What is claimed of advantages of single steps and on the tasks of series, sentences, words and
ranks, written down before the runs: ten seeds from 200 on, one-sided paired t tests, p adjusted by
Holm over all of them.

``python -m pytest -s -m slow tests/methods/test_step_and_rank_claims.py`` runs them. With
``BENCH_CLAIMS=DIR`` the records stay there, to be committed as
``docs/records/sweeps/step-and-rank-claims.jsonl``.
"""

from __future__ import annotations

import pytest
from claims import Claim, failed, failed_in, run_anew

CLOCK = ("policy-optimization", "clock-arithmetic", "gflop150", "auc_flops")
RANKS = ("label-errors", "errors-digits-ranks", "asym40", "rank_true")
WORDS = ("noisy-labels", "noisy-words", "human", "acc_last")
CLAIMS = (
    # the paper: credit for single steps, those of wrong solutions above all, learns faster
    Claim(*CLOCK, "incorrect", "grpo"),
    # it learns faster than what dropping rollouts alone gives, at the same share of rollouts
    Claim(*CLOCK, "incorrect", "random"),
    # errors that agree with each other: dynamics see them, neighbours share them
    Claim(*RANKS, "elr", "random"),
    Claim(*RANKS, "elr", "knn-vote"),
    Claim("label-errors", "errors-charts", "asym40", "ap", "elr", "knn-vote"),
    # in hashed words nothing is near, so a net tells more than neighbours
    Claim("label-errors", "errors-snippets", "sym20", "ap", "elr", "knn-vote"),
    # labels by people: what memorises less is better on words that all agree on
    Claim(*WORDS, "elr", "ce"),
    Claim(*WORDS, "ce-early", "ce"),
)
FAILED = {CLAIMS[7]}
"""Claims that did not hold when they were run: the pages show them with their interval."""
COMMITTED = "step-and-rank-claims"


def test_what_is_claimed_of_steps_and_ranks_holds_in_the_committed_records_but_for_what_is_named():
    assert failed_in(COMMITTED, CLAIMS) == FAILED


@pytest.mark.slow
def test_what_is_claimed_of_steps_and_ranks_holds_in_new_runs_but_for_what_is_named(tmp_path):
    assert failed(run_anew(CLAIMS, tmp_path)) == FAILED
