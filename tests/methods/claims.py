"""What tests of claims share: claims written down before the runs, one-sided paired t tests, p
adjusted by Holm over all claims of a file.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from scipy import stats

import bench

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


def gains(claims, records):
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
        for claim in claims
    }


def adjusted(gained):
    """Return each claim's p, adjusted over all of them."""
    tested = [
        stats.ttest_1samp(values, 0.0, alternative="greater").pvalue for values in gained.values()
    ]
    return dict(zip(gained, holm(tested), strict=True))


def failed(p_values):
    """Return (better, other) of the claims that do not hold."""
    return {(claim.better, claim.other) for claim, p in p_values.items() if p >= 0.05}


def run_anew(claims, folder):
    """Run the claims, print their table and return each one's adjusted p.

    With ``BENCH_CLAIMS`` the records stay in that folder, and what is there is not run again.
    """
    folder = os.environ.get("BENCH_CLAIMS") or str(folder)
    records = []
    for track, task, variant in dict.fromkeys(claim[:3] for claim in claims):
        mine = [claim for claim in claims if claim[:3] == (track, task, variant)]
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
    gained = gains(claims, records)
    p_values = adjusted(gained)
    for claim, values in gained.items():
        low, high = stats.ttest_1samp(values, 0.0).confidence_interval()
        print(
            f"| `{claim.better}` above `{claim.other}` | {claim.task} {claim.variant} | "
            f"{sum(values) / len(values):+.2f} [{low:+.2f}, {high:+.2f}] | "
            f"{p_values[claim]:.2g} | {'holds' if p_values[claim] < 0.05 else 'fails'} |"
        )
    return p_values
