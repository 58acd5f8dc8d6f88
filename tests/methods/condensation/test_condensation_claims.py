"""What is claimed of condensation, written down before the runs: ten seeds from 200 on, one-sided
paired t tests, p adjusted by Holm over all of them.

``python -m pytest -s -m slow tests/methods/condensation/test_condensation_claims.py`` runs them and
prints the table. With ``BENCH_CLAIMS`` set to a folder the records stay there, and what is there is
not run again; the page of the track quotes those of docs/records/sweeps/condense-claims.jsonl.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import pytest
from claims import SEEDS, holm
from scipy import stats

import bench


class Claim(NamedTuple):
    """``better`` reaches more than ``other``, or less where the metric is an error."""

    track: str
    task: str
    preset: str
    variant: str
    metric: str
    better: str
    other: str
    sign: int = 1


CLAIMS = (
    # arXiv:2202.02916: the contrastive signal improves on gradient matching, at equal loops
    Claim("condensation", "condense-digits", "default", "ipc1", "acc", "dcc", "dc"),
    Claim("condensation", "condense-digits", "default", "ipc5", "acc", "dcc", "dc"),
    Claim("condensation", "condense-clutter", "extended", "weak", "acc", "dcc", "dc"),
    # arXiv:2307.12463: fitted on a distilled set, a temperature calibrates with a mask only
    *(
        Claim(
            "condensation-calibration",
            "condense-calibration",
            "default",
            variant,
            "ece",
            "mts",
            "temperature",
            sign=-1,
        )
        for variant in ("ipc1", "ipc5")
    ),
)


@pytest.fixture(scope="module")
def gains(tmp_path_factory):
    """The gain of each claim, seed by seed, in the metric's unit."""
    folder = os.environ.get("BENCH_CLAIMS") or str(tmp_path_factory.mktemp("claims"))
    reached = {}
    for claim in CLAIMS:
        found = bench.run(
            method=[claim.better, claim.other],
            task=claim.task,
            track=claim.track,
            preset=claim.preset,
            variant=claim.variant,
            seeds=SEEDS,
            device="cpu",
            flops=False,
            quiet=True,
            results=folder,
        )
        reached |= {
            (claim.task, claim.variant, record.method, record.seed): record.metrics[claim.metric]
            for record in found
        }
    return {
        claim: [
            claim.sign
            * (
                reached[claim.task, claim.variant, claim.better, seed]
                - reached[claim.task, claim.variant, claim.other, seed]
            )
            for seed in SEEDS
        ]
        for claim in CLAIMS
    }


@pytest.mark.slow
def test_what_is_claimed_of_condensation_is_measured_and_shown(gains):
    tested = [stats.ttest_1samp(values, 0.0, alternative="greater") for values in gains.values()]
    for (claim, values), p in zip(gains.items(), holm([one.pvalue for one in tested]), strict=True):
        low, high = stats.ttest_1samp(values, 0.0).confidence_interval()
        print(
            f"| `{claim.better}` better than `{claim.other}` | {claim.task} {claim.variant} "
            f"{claim.metric} | {sum(values) / 10:+.2f} [{low:+.2f}, {high:+.2f}] | {p:.2g} |"
        )
    assert all(len(values) == 10 for values in gains.values())
