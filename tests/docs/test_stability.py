"""How much scores depend on the seed, on scores made by hand and on those of real runs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

import bench

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "docs"))
from stability import lines, read, stability  # noqa: E402


def seeds_of(scores, overlap=80, rows=100):
    """Scores of seeds that have ``overlap`` of 100 rows with the next seed in common."""
    step = rows - overlap
    return {
        seed: ([str(row).encode() for row in range(seed * step, seed * step + rows)], score)
        for seed, score in enumerate(scores)
    }


def test_scores_of_a_row_that_are_the_same_in_every_seed_have_stability_one():
    known = np.random.default_rng(0).standard_normal(200)
    scores = [known[seed * 20 : seed * 20 + 100] for seed in range(3)]
    assert stability(seeds_of(scores)) == pytest.approx(1)
    # only the order counts
    assert stability(seeds_of([np.exp(one) for one in scores])) == pytest.approx(1)
    assert stability(seeds_of([scores[0], -scores[1]])) == pytest.approx(-1)


def test_random_scores_have_stability_near_zero():
    generator = np.random.default_rng(0)
    found = stability(seeds_of(generator.standard_normal((8, 1000)), 900, 1000))
    assert abs(found) < 0.03


def test_a_pair_is_compared_on_the_rows_that_both_have_once():
    first = ([b"a", b"b", b"c", b"d", b"e", b"e"], np.array([1.0, 2, 3, 4, 90, -90]))
    second = ([b"d", b"x", b"a", b"c", b"b", b"e"], np.array([4.0, 99, 2, 3, 1, 50]))
    slow = spearmanr([1, 2, 3, 4], [2, 1, 3, 4]).statistic
    assert stability({0: first, 1: second}) == pytest.approx(slow)


def test_rows_without_scores_with_one_seed_or_with_equal_scores_have_a_dash():
    known = np.arange(100.0)
    table = lines(
        {
            ("t", "none"): {},
            ("t", "one"): seeds_of([known]),
            ("t", "flat"): seeds_of([known, np.ones(100)]),
            ("t", "two"): seeds_of([known, known]),
        }
    )
    assert table[2:] == [
        "| t | `flat` | 2 | - |",
        "| t | `none` | 0 | - |",
        "| t | `one` | 1 | - |",
        "| t | `two` | 2 | 1.00 |",
    ]


def test_scores_of_real_runs_are_compared_row_by_row(tmp_path):
    bench.run(
        method=["el2n", "random"],
        task="prune-digits",
        preset="smoke",
        seeds=[0, 1],
        device="cpu",
        quiet=True,
        results=tmp_path,
    )
    groups = read(tmp_path)
    assert {method for _, method in groups} == {"el2n", "random"}
    seeds = groups["prune-digits", "el2n"]
    (first, _), (second, _) = seeds[0], seeds[1]
    assert 0 < len(set(first) & set(second)) < len(first)
    assert -1 < stability(seeds) < 1
    # a score that is read off the row itself is the same in every seed
    known = {
        seed: (rows, np.array([hash(row) for row in rows])) for seed, (rows, _) in seeds.items()
    }
    assert stability(known) == pytest.approx(1)
    assert any("| - |" in line for line in lines(groups)) == (not groups["prune-digits", "random"])


def test_no_folder_and_a_folder_without_selectors_end_in_a_sentence(tmp_path):
    for asked, said in (("nowhere", "name one results folder"), (tmp_path, "has no record of a")):
        done = subprocess.run(
            [sys.executable, str(ROOT / "docs/stability.py"), str(asked)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr
