"""What is claimed of valuations and attributions, written down before the runs: ten seeds from 200
on, default presets, one-sided paired t tests, p adjusted by Holm over all of them.

``python -m pytest -s -m slow tests/methods/data_valuation/test_valuation_claims.py`` runs them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest
from claims import SEEDS, adjusted
from scipy import stats

import bench
from bench.runs.transfer import records_of


class Claim(NamedTuple):
    """``better`` reaches more of the metric than ``other``."""

    task: str
    variant: str
    metric: str
    better: str
    other: str


CLAIMS = (
    Claim("value-mislabel", "digits", "auroc", "knn-shapley", "shapley-perm"),
    Claim("value-mislabel", "digits", "auroc", "data-oob", "shapley-perm"),
    Claim("value-mislabel", "digits", "auroc", "shapley-perm", "beta-shapley"),
    Claim("value-mislabel", "digits", "auroc", "beta-shapley", "banzhaf-msr"),
    Claim("value-mislabel", "digits", "auroc", "banzhaf-msr", "loo"),
    Claim("attribution-lds", "half", "lds", "if-exact", "trak"),
    Claim("attribution-lds", "half", "lds", "trak", "grad-dot"),
    Claim("attribution-lds", "half", "lds", "if-exact", "same-class-rbf"),
    Claim("attribution-lds", "half", "lds", "grad-dot", "same-class-rbf"),
)
FAILED: set[Claim] = set()
"""Claims that did not hold when they were run: the page shows them with their interval."""


COMMITTED = Path(__file__).resolve().parents[3] / "docs/records/sweeps/valuation-claims.jsonl"


def gains(records):
    """Return the gain of each claim, seed by seed."""
    reached = {(one.task, one.variant, one.method, one.seed): one.metrics for one in records}
    return {
        claim: [
            reached[claim.task, claim.variant, claim.better, seed][claim.metric]
            - reached[claim.task, claim.variant, claim.other, seed][claim.metric]
            for seed in SEEDS
        ]
        for claim in CLAIMS
    }


def fails(p_values):
    return {claim for claim in CLAIMS if p_values[claim] >= 0.05}


def test_what_is_claimed_of_values_holds_in_the_committed_records_but_for_what_is_named():
    assert fails(adjusted(gains(record for _, record in records_of(COMMITTED)))) == FAILED


def test_after_equally_many_fits_banzhaf_values_are_ahead_of_beta_values_in_the_records():
    # the claim compares 30,000 fits with 2,000; the page says so beside it
    reached = {
        (record.method, record.seed, point["step"]): point["auroc"]
        for _, record in records_of(COMMITTED)
        for point in record.curve
        if "auroc" in point
    }
    gain = [
        reached["banzhaf-msr", seed, 1_000] - reached["beta-shapley", seed, 1_000] for seed in SEEDS
    ]
    assert stats.ttest_1samp(gain, 0.0).confidence_interval().low > 0


@pytest.mark.slow
def test_what_is_claimed_of_values_holds_in_new_runs_but_for_what_is_named(tmp_path):
    # with BENCH_CLAIMS the records stay in that folder, and what is there is not run again
    folder = os.environ.get("BENCH_CLAIMS") or str(tmp_path)
    records = []
    for task, variant in dict.fromkeys(claim[:2] for claim in CLAIMS):
        mine = [claim for claim in CLAIMS if claim[:2] == (task, variant)]
        records += bench.run(
            method=sorted({name for claim in mine for name in claim[3:]}),
            task=task,
            track="data-valuation",
            variant=variant,
            seeds=SEEDS,
            device="cpu",
            flops=False,
            quiet=True,
            results=folder,
        )
    gained = gains(records)
    p_values = adjusted(gained)
    for claim, values in gained.items():
        low, high = stats.ttest_1samp(values, 0.0).confidence_interval()
        print(
            f"{claim}: {sum(values) / 10:+.3f} [{low:+.3f}, {high:+.3f}], p {p_values[claim]:.2g}"
        )
    assert fails(p_values) == FAILED
