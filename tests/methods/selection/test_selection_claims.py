"""What the papers of the selectors claim over random rows, written down before the runs: ten splits
(seeds 200 to 209), right labels, one-sided paired t tests, p adjusted by Holm over all of them.

Where a paper says how many rows can be left out, the share claimed is a half; where it speaks of
small budgets or of none, it is the ranked metric over all shares. The gains are those of
docs/records/sweeps/TASK-splits.jsonl; docs/tracks/selection.md shows them, and this table.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import NamedTuple

from claims import figures, holm, p_value

ROOT = Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "docs"))
gains = importlib.import_module("tables_splits").gains
TASKS = ("prune-digits", "prune-mnist")


class Claim(NamedTuple):
    """``method`` reaches more of ``metric`` than random rows of the same split."""

    task: str
    method: str
    metric: str


CLAIMS = tuple(
    Claim(task, method, metric)
    for task in TASKS
    for method, metric in (
        ("el2n", "acc_50"),
        ("grand", "acc_50"),
        ("forgetting", "acc_50"),
        ("margin", "acc_50"),
        ("k-center", "auc"),
        ("herding", "auc"),
        ("surrogate-power", "auc"),
        ("k-means", "auc"),
    )
)
FAILED = {
    Claim("prune-digits", "el2n", "acc_50"),
    Claim("prune-digits", "grand", "acc_50"),
    Claim("prune-digits", "herding", "auc"),
    Claim("prune-digits", "surrogate-power", "auc"),
}
"""Claims that did not hold when they were run."""


def measured():
    """The gain of each claim on ten splits, in points; None where its task has no records."""
    found = {}
    for task in TASKS:
        file = f"{task}-splits"
        there = (ROOT / "docs" / "records" / "sweeps" / f"{file}.jsonl").is_file()
        found[task] = gains(file)["clean"] if there else None
    return {
        claim: found[claim.task] and found[claim.task][claim.method][claim.metric][:10]
        for claim in CLAIMS
    }


def adjusted(values):
    """The adjusted p of each claim; one that was not run counts as p = 1."""
    found = [p_value(values[claim]) if values[claim] else 1.0 for claim in CLAIMS]
    return dict(zip(CLAIMS, holm(found), strict=True))


def lines():
    """What was claimed and what was measured, rows of a table."""
    values = measured()
    shown = []
    for claim, p in adjusted(values).items():
        start = f"| `{claim.method}`, `{claim.metric}` | {claim.task} |"
        if not values[claim]:
            shown.append(f"{start} not run | - | - |")
            continue
        holds = "holds" if p < 0.05 else "fails"
        shown.append(f"{start} {figures(values[claim])} | {p:.2g} | {holds} |")
    return shown


def test_what_papers_claim_over_random_rows_is_measured_and_shown():
    values = measured()
    ran = {claim for claim in CLAIMS if values[claim]}
    assert ran
    assert {claim for claim in ran if adjusted(values)[claim] >= 0.05} == FAILED
