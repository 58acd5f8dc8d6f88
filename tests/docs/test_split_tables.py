"""Gains over random rows on other splits: the interval that the page of selection publishes covers
the mean of ten splits that it was not made of.
"""

from __future__ import annotations

import importlib
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "docs"))
splits = importlib.import_module("tables_splits")
FILES = sorted(path.stem for path in (ROOT / "docs/records/sweeps").glob("prune-*-splits.jsonl"))


def plainly_covered(values, half_of):
    """The share of draws of five whose interval holds the mean of the ten others, one by one."""
    hits = []
    for five in itertools.combinations(range(15), 5):
        own = [values[place] for place in five]
        others = [values[place] for place in range(15) if place not in five]
        hits.append(abs(np.mean(own) - np.mean(others)) <= half_of(np.std(own, ddof=1)))
    return np.mean(hits)


@pytest.mark.parametrize(
    ("widened", "room"), [(False, 1 / 5), (True, 1 / 5 + 1 / 10)], ids=["plain", "widened"]
)
def test_coverage_is_that_of_all_draws_of_five_counted_one_by_one(widened, room):
    values = np.random.default_rng(0).normal(size=15).tolist()
    slow = plainly_covered(values, lambda sd: 2.7764451052 * sd * room**0.5)
    assert splits.covered(values, widened) == pytest.approx(slow)


def test_the_interval_for_ten_other_splits_covers_their_mean_as_often_as_it_says():
    generator = np.random.default_rng(0)
    counts = {5: 0, 15: 0}
    for n in counts:
        for _ in range(4000):
            low, high = splits.other_splits(generator.normal(1.0, 2.0, n))
            counts[n] += low <= generator.normal(1.0, 2.0, 10).mean() <= high
    # four standard errors of a share of 4,000
    assert all(abs(count / 4000 - 0.95) < 0.014 for count in counts.values())


def test_fewer_than_fifteen_splits_give_no_coverage():
    with pytest.raises(ValueError, match=r"14 splits are too few.*run 15 or more"):
        splits.covered([0.0] * 14, True)


def test_records_of_fifteen_splits_are_committed():
    assert FILES


@pytest.mark.parametrize("file", FILES)
def test_what_is_published_of_a_method_covers_ten_other_splits_in_nine_draws_of_ten(file):
    found = splits.gains(file)
    assert found
    for methods in found.values():
        assert len(methods) >= 5
        for metrics in methods.values():
            assert splits.covered(metrics["auc"], True) >= 0.9


@pytest.mark.parametrize("file", FILES)
def test_splits_are_those_of_seeds_that_no_board_uses(file):
    assert {record.seed for record in splits._records(file)} >= set(range(200, 215))
    assert min(record.seed for record in splits._records(file)) >= 100
