"""Tables of the settings that were tried say what the committed records hold."""

from __future__ import annotations

import json
import re
import statistics
import sys
from pathlib import Path

from scipy import stats

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "docs"))
from tables_searched import searched  # noqa: E402

ASKED = ("graph-search", "spmotif", "b97", "ood_test", "erm")


def reached(method, **params):
    """Return a setting's figure on each seed."""
    lines = (ROOT / "docs" / "records" / "sweeps" / "graph-search.jsonl").read_text().splitlines()
    return {
        record["seed"]: record["metrics"]["ood_test"]
        for record in map(json.loads, lines)
        if (record["task"], record["method"]) == ("spmotif", method)
        and params.items() <= record["params"].items()
    }


def test_a_setting_shows_its_mean_and_its_paired_difference():
    plain, tried = reached("erm"), reached("stablegnn", weight_lr=1.0)
    gains = [tried[seed] - plain[seed] for seed in plain]
    low, high = stats.ttest_1samp(gains, 0).confidence_interval()
    [row] = [line for line in searched(*ASKED).splitlines() if "`weight_lr=1.0`" in line]
    assert f"{statistics.fmean(tried.values()):.2f}" in row
    assert f"{statistics.fmean(gains):+.2f} [{low:+.2f}, {high:+.2f}]" in row


def test_the_default_is_marked_and_no_other_setting():
    assert re.findall(r"`(weight_lr=[\d.]+)`, default", searched(*ASKED)) == ["weight_lr=0.1"]


def test_what_was_not_searched_is_said():
    assert searched("no-search", *ASKED[1:]) == "\nNo record of `no-search` is committed.\n\n"
