"""What is claimed of the two forms of L2R-GNN, written down before the runs: paired seeds from 200
on, one-sided paired t tests, p adjusted by Holm over all of them.

The records are committed, and each claim is computed from them::

    bench run --method 'erm,l2r-gnn-lower,l2r-gnn,l2r-gnn-lower[factors=one]' --task spmotif \
        --variant b97 --seeds 200-219 --device cpu --no-flops --results CLAIMS
    bench results export --results CLAIMS docs/records/sweeps/spmotif-levels.jsonl
"""

from pathlib import Path
from typing import NamedTuple

import pytest
from claims import holm
from scipy import stats

from bench.runs.transfer import records_of

SEEDS = range(200, 220)
RECORDS = Path(__file__).parents[3] / "docs" / "records" / "sweeps" / "spmotif-levels.jsonl"


class Claim(NamedTuple):
    """``better`` reaches a higher ``ood_test`` than ``other`` on spmotif b97."""

    better: str
    other: str


CLAIMS = (
    Claim("l2r-gnn-lower", "erm"),
    Claim("l2r-gnn", "erm"),
    Claim("l2r-gnn-lower", "l2r-gnn"),
    Claim("l2r-gnn-lower[factors=one]", "l2r-gnn-lower"),
)
FAILED = {Claim("l2r-gnn-lower", "l2r-gnn")}
"""Claims whose adjusted p is .05 or more: the page shows them with their interval."""


@pytest.fixture(scope="module")
def gains():
    """The gain of each claim, seed by seed."""
    reached = {}
    for _, record in records_of(RECORDS):
        one = record.params.get("factors") == "one"
        name = record.method + ("[factors=one]" if one else "")
        if (record.task, record.variant) == ("spmotif", "b97") and record.status == "ok":
            reached[name, record.seed] = record.metrics["ood_test"]
    return {
        claim: [reached[claim.better, seed] - reached[claim.other, seed] for seed in SEEDS]
        for claim in CLAIMS
    }


def test_the_claims_hold_or_fail_as_the_committed_records_say(gains):
    found = [stats.ttest_1samp(gains[claim], 0.0, alternative="greater").pvalue for claim in CLAIMS]
    adjusted = dict(zip(CLAIMS, holm(found), strict=True))
    for claim, values in gains.items():
        low, high = stats.ttest_1samp(values, 0.0).confidence_interval()
        print(
            f"{claim.better} - {claim.other}: {sum(values) / len(values):+.2f} "
            f"[{low:+.2f}, {high:+.2f}], adjusted p {adjusted[claim]:.2g}"
        )
    assert {claim for claim in CLAIMS if adjusted[claim] >= 0.05} == FAILED
