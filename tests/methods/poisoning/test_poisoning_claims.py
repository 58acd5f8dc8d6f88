"""What is claimed of poisoned data, written down before the runs: ten seeds from 200 on, default
presets, one-sided paired t tests, p adjusted by Holm over all of them.

``python -m pytest -s -m slow tests/methods/poisoning/test_poisoning_claims.py`` runs them. With
``BENCH_CLAIMS`` the records stay in that folder, and what is there is not run again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest
from claims import SEEDS, holm
from scipy import stats

import bench
from bench.runs.transfer import records_of


class Claim(NamedTuple):
    """The weighted sum of the methods' figures is above ``margin``, in the metric's unit."""

    task: str
    variant: str
    metric: str
    weights: tuple[tuple[str, float], ...]
    margin: float = 0.0


NOISE, FLIPPED = "unlearnable-mnist", "flipped-mnist"
CLAIMS = (
    # error-minimising noise costs fifteen points
    Claim(NOISE, "emin", "acc", (("clean-data", 1.0), ("ce", -1.0)), 15.0),
    # training on attacks wins back half of them
    Claim(NOISE, "emin", "acc", (("pgd-at", 1.0), ("ce", -0.5), ("clean-data", -0.5))),
    # a larger sample gains by holistic robust training
    Claim(FLIPPED, "n1500", "acc", (("hr", 1.0), ("ce", -1.0))),
    # and a small one does not: it is not above by a point
    Claim(FLIPPED, "n300", "acc", (("ce", 1.0), ("hr", -1.0)), -1.0),
)
FAILED: set[Claim] = set()
"""Claims that did not hold when they were run: the page shows them with their interval."""
COMMITTED = Path(__file__).resolve().parents[3] / "docs/records/sweeps/poisoning-claims.jsonl"
PENDING = set(CLAIMS)
"""Claims whose runs are not committed yet."""


def gains(claims, records):
    """Return the gain of each claim whose runs are there, seed by seed."""
    reached = {
        (record.task, record.variant, record.method, record.seed): record.metrics
        for record in records
    }
    found = {}
    for claim in claims:
        if all((*claim[:2], name, seed) in reached for name, _ in claim.weights for seed in SEEDS):
            found[claim] = [
                sum(
                    weight * reached[*claim[:2], name, seed][claim.metric]
                    for name, weight in claim.weights
                )
                - claim.margin
                for seed in SEEDS
            ]
    return found


def fails(gained):
    """Return the claims that do not hold; p is adjusted over all that were run."""
    raw = [
        stats.ttest_1samp(values, 0.0, alternative="greater").pvalue for values in gained.values()
    ]
    return {claim for claim, p in zip(gained, holm(raw), strict=True) if p >= 0.05}


def committed():
    """Return the committed records; none where the runs are still to come."""
    return [record for _, record in records_of(COMMITTED)] if COMMITTED.is_file() else []


def test_a_claim_is_pending_exactly_where_its_runs_are_not_committed():
    assert set(CLAIMS) - set(gains(CLAIMS, committed())) == PENDING


def test_what_is_claimed_holds_in_the_committed_records_but_for_what_is_named():
    gained = gains(CLAIMS, committed())
    assert (fails(gained) if gained else set()) == FAILED


@pytest.mark.slow
def test_what_is_claimed_holds_in_new_runs_but_for_what_is_named(tmp_path):
    records = []
    for task, variant in dict.fromkeys(claim[:2] for claim in CLAIMS):
        mine = [claim for claim in CLAIMS if claim[:2] == (task, variant)]
        records += bench.run(
            method=sorted({name for claim in mine for name, _ in claim.weights}),
            task=task,
            track="poisoning",
            variant=variant,
            seeds=SEEDS,
            device="cpu",
            flops=False,
            quiet=True,
            results=os.environ.get("BENCH_CLAIMS") or str(tmp_path),
        )
    gained = gains(CLAIMS, records)
    for claim, values in gained.items():
        low, high = stats.ttest_1samp(values, 0.0).confidence_interval()
        print(f"{claim}: {sum(values) / len(values):+.2f} [{low:+.2f}, {high:+.2f}]")
    assert fails(gained) - PENDING == FAILED
