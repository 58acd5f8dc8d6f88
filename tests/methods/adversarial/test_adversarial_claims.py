"""What is claimed of adversarial training and of mixtures in regression, written down before the
runs: ten seeds from 200 on, default presets, one-sided paired t tests, p adjusted by Holm over all
of them.

``python -m pytest -s -m slow tests/methods/adversarial/test_adversarial_claims.py`` runs them. With
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
    """``more`` is above ``less`` by more than ``margin``: each is a method and a metric of it, or a
    number.
    """

    track: str
    task: str
    variant: str
    more: tuple[str, str] | float
    less: tuple[str, str] | float
    margin: float = 0.0


DIGITS, WAVES = ("adversarial", "robust-digits"), ("regression", "waves")
CLAIMS = (
    Claim(*DIGITS, "eps15", ("pgd-at", "robust"), ("fgsm-at", "robust"), 3.0),
    Claim(*DIGITS, "eps15", 20.0, ("plain", "robust")),
    # single steps collapse: they find nothing any more, and stronger attacks break nearly all rows
    Claim(*DIGITS, "eps25", ("fgsm-at", "fgsm"), ("fgsm-at", "robust"), 30.0),
    Claim(*DIGITS, "eps25", 30.0, ("pgd-at", "co_gap")),
    # mixtures of far rows harm where the function is curved, mixtures of near ones less
    Claim(*WAVES, "noise01", ("mixup", "rmse"), ("plain", "rmse")),
    Claim(*WAVES, "noise01", ("mixup", "rmse"), ("knn-mixup", "rmse")),
    Claim(*WAVES, "noise01", ("mixup", "rmse"), ("regmix", "rmse")),
)
FAILED: set[Claim] = set()
"""Claims that did not hold when they were run: the page shows them with their interval."""
COMMITTED = Path(__file__).resolve().parents[3] / "docs/records/sweeps/adversarial-claims.jsonl"
PENDING = set(CLAIMS)
"""Claims whose runs are not committed yet."""


def sides(claim):
    """Return the methods that a claim is about."""
    return [side for side in (claim.more, claim.less) if isinstance(side, tuple)]


def gains(claims, records):
    """Return the gain of each claim whose runs are there, seed by seed."""
    reached = {
        (record.track, record.task, record.variant, record.method, record.seed): record.metrics
        for record in records
    }

    def value(claim, side, seed):
        if not isinstance(side, tuple):
            return side
        return reached[*claim[:3], side[0], seed][side[1]]

    found = {}
    for claim in claims:
        if all((*claim[:3], side[0], seed) in reached for side in sides(claim) for seed in SEEDS):
            found[claim] = [
                value(claim, claim.more, seed) - value(claim, claim.less, seed) - claim.margin
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
    for track, task, variant in dict.fromkeys(claim[:3] for claim in CLAIMS):
        mine = [claim for claim in CLAIMS if claim[:3] == (track, task, variant)]
        records += bench.run(
            method=sorted({side[0] for claim in mine for side in sides(claim)}),
            task=task,
            track=track,
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
