"""What is claimed of plain baselines, written down before the runs: ten seeds from 200 on,
one-sided paired t tests, p adjusted by Holm over all of them.

``python -m pytest -s -m slow tests/methods/test_plain_claims.py`` runs them and prints the table
that the pages of the tracks quote.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import pytest
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


@pytest.fixture(scope="module")
def gains(tmp_path_factory):
    """The gain of each claim, seed by seed.

    With ``BENCH_CLAIMS`` the records stay in that folder, and what is there is not run again.
    """
    folder = os.environ.get("BENCH_CLAIMS") or str(tmp_path_factory.mktemp("claims"))
    reached = {}
    for track, task, variant, metric in dict.fromkeys(claim[:4] for claim in CLAIMS):
        mine = [claim for claim in CLAIMS if claim[:4] == (track, task, variant, metric)]
        names = sorted({name for claim in mine for name in (claim.better, claim.other)})
        found = bench.run(
            method=names,
            task=task,
            track=track,
            variant=variant,
            seeds=SEEDS,
            device="cpu",
            flops=False,
            quiet=True,
            results=folder,
        )
        reached |= {
            (track, task, variant, record.method, record.seed): record.metrics[metric]
            for record in found
        }
    return {
        claim: [
            reached[*claim[:3], claim.better, seed]
            - reached[*claim[:3], claim.other, seed]
            - claim.margin
            for seed in SEEDS
        ]
        for claim in CLAIMS
    }


@pytest.mark.slow
def test_what_is_claimed_of_plain_baselines_is_measured_and_shown(gains):
    tested = {
        claim: stats.ttest_1samp(values, 0.0, alternative="greater")
        for claim, values in gains.items()
    }
    adjusted = dict(zip(CLAIMS, holm([tested[claim].pvalue for claim in CLAIMS]), strict=True))
    for claim, values in gains.items():
        low, high = stats.ttest_1samp(values, 0.0).confidence_interval()
        holds = "holds" if adjusted[claim] < 0.05 else "fails"
        print(
            f"| `{claim.better}` above `{claim.other}` | {claim.task} {claim.variant} | "
            f"{sum(values) / 10:+.2f} [{low:+.2f}, {high:+.2f}] | {adjusted[claim]:.2g} | {holds} |"
        )
    assert all(len(values) == 10 for values in gains.values())
    assert {(claim.better, claim.other) for claim in CLAIMS if adjusted[claim] >= 0.05} == FAILED
