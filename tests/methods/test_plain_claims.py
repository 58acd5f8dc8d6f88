"""What is claimed of plain baselines, written down before the runs: ten seeds from 200 on,
one-sided paired t tests, p adjusted by Holm over all of them.

The pages of the tracks quote the committed records of these runs. ``python -m pytest -s -m slow
tests/methods/test_plain_claims.py`` runs them anew and prints the table.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest
from scipy import stats

import bench
from bench.runs.transfer import records_of

SEEDS = range(200, 210)


class Claim(NamedTuple):
    """``better`` reaches more than ``other`` by more than ``margin``, in the metric's unit."""

    track: str
    task: str
    variant: str
    metric: str
    better: str
    other: str
    margin: float = 0.0


CLAIMS = (
    Claim("noisy-labels", "noisy-digits", "sym40", "acc_last", "knn", "ce"),
    Claim("noisy-labels", "noisy-digits", "sym40", "acc_last", "random-forest", "ce"),
    Claim("noisy-labels", "noisy-digits", "sym40", "acc_last", "ce-early", "ce"),
    Claim("noisy-labels", "noisy-digits", "sym40", "acc_last", "ce-ensemble", "ce"),
    Claim("noisy-labels", "noisy-digits", "sym40", "acc_last", "ce-average", "ce"),
    Claim("noisy-labels", "noisy-digits", "asym40", "acc_last", "elr-plus", "knn"),
    Claim("label-errors", "errors-digits", "sym40", "ap", "random-forest", "loss"),
    Claim("condensation", "condense-digits", "ipc1", "acc", "k-means", "random"),
    Claim("condensation", "condense-digits", "ipc1", "acc", "random-best", "random"),
    Claim("condensation", "condense-digits", "ipc1", "acc", "dm", "k-means"),
    Claim("selection", "prune-digits", "clean", "auc", "k-means", "random"),
    Claim("graph-ood", "spmotif", "b97", "ood_test", "erm-ensemble", "erm"),
    Claim("graph-ood", "spmotif", "b97", "ood_test", "forest", "erm"),
)
FAILED = {("erm-ensemble", "erm")}
"""Claims that did not hold when they were run: the pages show them with their interval."""


def holm(p_values):
    """Return p values adjusted by Holm."""
    order, found, highest = (
        sorted(range(len(p_values)), key=p_values.__getitem__),
        [0.0] * len(p_values),
        0.0,
    )
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        found[place] = highest
    return found


COMMITTED = Path(__file__).resolve().parents[2] / "docs/records/sweeps/plain-claims.jsonl"


def gains(records):
    """Return the gain of each claim, seed by seed."""
    reached = {
        (record.track, record.task, record.variant, record.method, record.seed): record.metrics
        for record in records
    }
    return {
        claim: [
            reached[*claim[:3], claim.better, seed][claim.metric]
            - reached[*claim[:3], claim.other, seed][claim.metric]
            - claim.margin
            for seed in SEEDS
        ]
        for claim in CLAIMS
    }


def adjusted(gained):
    """Return each claim's p, adjusted over all of them."""
    tested = [stats.ttest_1samp(gained[claim], 0.0, alternative="greater") for claim in CLAIMS]
    return dict(zip(CLAIMS, holm([result.pvalue for result in tested]), strict=True))


def fails(p_values):
    return {(claim.better, claim.other) for claim in CLAIMS if p_values[claim] >= 0.05}


def test_what_is_claimed_of_plain_baselines_holds_in_the_committed_records_but_for_what_is_named():
    assert fails(adjusted(gains(record for _, record in records_of(COMMITTED)))) == FAILED


@pytest.mark.slow
def test_what_is_claimed_of_plain_baselines_holds_in_new_runs_but_for_what_is_named(tmp_path):
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
    p_values = adjusted(gained)
    for claim, values in gained.items():
        low, high = stats.ttest_1samp(values, 0.0).confidence_interval()
        print(
            f"| `{claim.better}` above `{claim.other}` | {claim.task} {claim.variant} | "
            f"{sum(values) / 10:+.2f} [{low:+.2f}, {high:+.2f}] | {p_values[claim]:.2g} | "
            f"{'holds' if p_values[claim] < 0.05 else 'fails'} |"
        )
    assert fails(p_values) == FAILED
