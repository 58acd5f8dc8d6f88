"""What is claimed of advantages of single steps and on the tasks of series, sentences, words and
ranks, written down before the runs: ten seeds from 200 on, one-sided paired t tests, p adjusted by
Holm over all of them, be they run or not.

The pages of the tracks quote the committed records. ``python -m pytest -s -m slow
tests/methods/test_step_and_rank_claims.py`` runs them and prints the table.
"""

from __future__ import annotations

import os
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import pytest
from scipy import stats

import bench
from bench.runs.transfer import records_of

SEEDS = range(200, 210)


class Claim(NamedTuple):
    """``better`` has a higher figure than ``other``."""

    track: str
    task: str
    variant: str
    metric: str
    better: str
    other: str


CLAIMS = (
    # the paper: credit for single steps, those of wrong solutions above all, learns faster
    Claim("policy-optimization", "clock-arithmetic", "gflop150", "auc_flops", "incorrect", "grpo"),
    # it learns faster than what dropping rollouts alone gives, at the same share of rollouts
    Claim(
        "policy-optimization", "clock-arithmetic", "gflop150", "auc_flops", "incorrect", "random"
    ),
    # errors that agree with each other: dynamics see them, neighbours share them
    Claim("label-errors", "errors-digits-ranks", "asym40", "rank_true", "elr", "random"),
    Claim("label-errors", "errors-digits-ranks", "asym40", "rank_true", "elr", "knn-vote"),
    Claim("label-errors", "errors-charts", "asym40", "ap", "elr", "knn-vote"),
    # in hashed words nothing is near, so a net tells more than neighbours
    Claim("label-errors", "errors-snippets", "sym20", "ap", "elr", "knn-vote"),
    # labels by people: what memorises less is better on words that all agree on
    Claim("noisy-labels", "noisy-words", "human", "acc_last", "elr", "ce"),
    Claim("noisy-labels", "noisy-words", "human", "acc_last", "ce-early", "ce"),
)
FAILED = {("noisy-words", "ce-early", "ce")}
"""Claims that did not hold when they were run: the pages show them with their interval."""
PENDING = {
    ("clock-arithmetic", "incorrect", "grpo"),
    ("clock-arithmetic", "incorrect", "random"),
    ("errors-digits-ranks", "elr", "random"),
    ("errors-digits-ranks", "elr", "knn-vote"),
    ("errors-snippets", "elr", "knn-vote"),
}
"""Claims of which no records are committed yet; the pages say nothing of them."""
COMMITTED = Path(__file__).resolve().parents[2] / "docs/records/sweeps/step-and-rank-claims.jsonl"


def short(claim):
    return claim.task, claim.better, claim.other


def gains(records):
    """Return the gain of each claim that the records bear, seed by seed."""
    reached = {
        (record.track, record.task, record.variant, record.method, record.seed): record.metrics
        for record in records
    }
    found = {}
    for claim in CLAIMS:
        pairs = [
            [reached.get((*claim[:3], method, seed)) for method in (claim.better, claim.other)]
            for seed in SEEDS
        ]
        if all(better and other for better, other in pairs):
            found[claim] = [better[claim.metric] - other[claim.metric] for better, other in pairs]
    return found


def adjusted(gained):
    """Return each claim's p, adjusted by Holm over all claims; those that are not there count as
    the largest, which is the most that they can do to the others.
    """
    raw = {
        claim: float(stats.ttest_1samp(values, 0.0, alternative="greater").pvalue)
        for claim, values in gained.items()
    }
    order = sorted(raw, key=raw.__getitem__)
    steps = (min(1.0, (len(CLAIMS) - rank) * raw[claim]) for rank, claim in enumerate(order))
    return dict(zip(order, accumulate(steps, max), strict=True))


def failed(gained):
    return {short(claim) for claim, p in adjusted(gained).items() if p >= 0.05}


def test_what_is_claimed_of_steps_and_ranks_holds_in_the_committed_records_but_for_what_is_named():
    gained = gains(record for _, record in records_of(COMMITTED))
    assert {short(claim) for claim in CLAIMS} - {short(claim) for claim in gained} == PENDING
    assert failed(gained) == FAILED


@pytest.mark.slow
def test_what_is_claimed_of_steps_and_ranks_holds_in_new_runs_but_for_what_is_named(tmp_path):
    # with BENCH_CLAIMS the records stay in that folder, and what is there is not run again
    folder = os.environ.get("BENCH_CLAIMS") or str(tmp_path)
    records = []
    for track, task, variant in dict.fromkeys(claim[:3] for claim in CLAIMS):
        mine = [claim for claim in CLAIMS if claim[:3] == (track, task, variant)]
        records += bench.run(
            method=sorted({name for claim in mine for name in (claim.better, claim.other)}),
            task=task,
            track=track,
            variant=variant,
            seeds=SEEDS,
            device="cpu",
            flops=False,
            quiet=True,
            results=folder,
        )
    gained = gains(records)
    for claim, p in adjusted(gained).items():
        values = gained[claim]
        low, high = stats.ttest_1samp(values, 0.0).confidence_interval()
        mean = sum(values) / len(values)
        print(f"{' '.join(claim)}: {mean:+.2f} [{low:+.2f}, {high:+.2f}], p {p:.2g}")
    assert failed(gained) - PENDING == FAILED
