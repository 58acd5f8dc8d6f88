"""Figures of the track are those of a prototype that was written apart from it, and stand in its order."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev

import pytest

from bench.runs.transfer import records_of

RECORDS = Path(__file__).resolve().parents[3] / "docs" / "records"
PROTOTYPE = {
    ("value-mislabel", "digits", "auroc"): {
        "knn-shapley": (99.1, 0.7),
        "data-oob": (99.1, 0.5),
        "shapley-perm": (98.0, 1.3),
        "beta-shapley": (95.0, 2.2),
        "banzhaf-msr": (85.2, 2.5),
        "lava": (85.3, 5.9),
        "loo": (53.6, 6.5),
        "random": (49.1, 3.0),
    },
    ("attribution-lds", "half", "lds"): {
        "if-exact": (0.97, 0.02),
        "loo-retrain": (0.97, 0.02),
        "trak": (0.86, 0.02),
        "grad-dot": (0.79, 0.02),
        "rps": (0.78, 0.02),
        "grad-cos": (0.71, 0.02),
        "knn-shapley-query": (0.70, 0.02),
        "same-class-rbf": (0.65, 0.02),
        "same-class": (0.43, 0.02),
        "random": (0.0, 0.02),
    },
}
"""Task, variant, metric -> method -> mean and standard deviation over five seeds of the prototype."""
VALUED = "knn-shapley data-oob shapley-perm beta-shapley banzhaf-msr lava loo random".split()
FURTHER = {
    ("value-mislabel", "digits", "ap"): dict(
        zip(VALUED, (96.9, 96.8, 94.6, 89.3, 67.1, 61.4, 25.8, 20.8), strict=True)
    ),
    ("value-mislabel", "digits", "acc_drop20"): dict(
        zip(VALUED, (91.3, 90.9, 91.9, 90.8, 91.3, 84.5, 88.2, 86.1), strict=True)
    ),
    ("value-mislabel", "digits", "acc_drop0"): {"knn-shapley": 87.5},
    ("value-mislabel", "digits", "acc_oracle"): {"knn-shapley": 91.8},
    ("value-mislabel", "noisy-val", "auroc"): {"knn-shapley": 98.9, "shapley-perm": 96.7},
    ("value-removal", "mislabel", "removal_gap"): dict(
        zip(VALUED, (20.5, 7.7, 22.2, 13.2, 20.5, 19.6, 9.2, 1.3), strict=True)
    ),
}
"""Task, variant, metric -> method -> mean over five seeds of the prototype, which named no spread of
these.
"""
RELIABILITY = {"shapley-perm": 0.79, "beta-shapley": 0.55, "banzhaf-msr 4000": 0.74}
"""The same of the metric ``reliability``; 2,000 sets against 2,000 others."""
RANGES = {
    ("value-mislabel", "digits", "auroc", "self-influence"): (97, 100),
    ("attribution-loo", "mislabel", "loo_r", "if-exact"): (0.997, 0.998),
}
"""Task, variant, metric, method -> lowest and highest of five seeds of the prototype."""
APART = {("attribution-loo", "mislabel", "loo_r", "if-exact")}
"""What is not within three standard errors: the page says so."""
OF_FIVE = 2.326
"""Expected range of five normal numbers, in standard deviations."""
SWEEP = [
    ("value-mislabel", ["knn-shapley", "data-oob", "shapley-perm", "beta-shapley", "banzhaf-msr", "loo"]),
    ("attribution-lds", ["if-exact", "trak", "grad-dot", "same-class-rbf"]),
]  # fmt: skip


def reached(*files):
    """Return the figures of each task, variant, metric and method, seed by seed."""
    found = defaultdict(list)
    for file in files:
        for _, record in records_of(RECORDS / f"{file}.jsonl"):
            more = " 4000" if record.params.get("subsets") == 4000 else ""
            for metric, value in record.metrics.items():
                found[record.task, record.variant, metric, record.method + more].append(value)
    return found


CLAIMED = reached("sweeps/valuation-claims")
BOARD = reached(
    *(
        f"data-valuation.{task}"
        for task in ("value-mislabel", "value-removal", "attribution-lds", "attribution-loo")
    )
)
AGAIN = reached("sweeps/valuation-reliability")


@pytest.mark.parametrize(("records", "seeds"), [(CLAIMED, 10), (BOARD, 5)], ids=["claims", "board"])
def test_a_figure_is_within_three_standard_errors_of_that_of_the_prototype(records, seeds):
    compared = 0
    for cell, methods in PROTOTYPE.items():
        for method, (expected, spread) in methods.items():
            if values := records.get((*cell, method)):
                assert len(values) == seeds
                error = (spread**2 / 5 + stdev(values) ** 2 / len(values)) ** 0.5
                assert abs(mean(values) - expected) <= 3 * error, (cell, method, mean(values))
                compared += 1
    assert compared == (18 if records is BOARD else 10)


def test_ten_methods_were_run_on_ten_seeds_for_it():
    primary = {task: metric for task, _, metric in PROTOTYPE}
    main = {key: values for key, values in CLAIMED.items() if key[2] == primary[key[0]]}
    named = {(task, method) for task, methods in SWEEP for method in methods}
    assert {(task, method) for task, _, _, method in main} == named
    assert {len(values) for values in main.values()} == {10}


@pytest.mark.parametrize("records", [CLAIMED, BOARD], ids=["claims", "board"])
def test_methods_stand_in_the_order_of_the_prototype(records):
    means = {
        key[3]: mean(values)
        for key, values in records.items()
        if key[:3] == ("value-mislabel", "digits", "auroc")
    }
    order = ["shapley-perm", "beta-shapley", "banzhaf-msr", "loo"]
    assert [means[method] for method in order] == sorted((means[m] for m in order), reverse=True)
    assert min(means["knn-shapley"], means["data-oob"]) > means["shapley-perm"]
    assert means["banzhaf-msr"] > mean(BOARD["value-mislabel", "digits", "auroc", "random"])


@pytest.mark.parametrize(("records", "seeds"), [(BOARD, 5), (AGAIN, 10)], ids=["board", "sweep"])
def test_where_no_spread_is_named_means_are_within_three_standard_errors_for_our_own(
    records, seeds
):
    compared = 0
    for cell, methods in FURTHER.items():
        for method, expected in methods.items():
            if values := records.get((*cell, method)):
                assert len(values) == seeds
                error = stdev(values) * (1 / 5 + 1 / seeds) ** 0.5
                assert abs(mean(values) - expected) <= 3 * error, (cell, method, mean(values))
                compared += 1
    assert compared == (28 if records is BOARD else 10)


def test_values_repeat_as_those_of_the_prototype_do():
    found = {key[3]: values for key, values in AGAIN.items() if key[2] == "reliability"}
    for method, expected in RELIABILITY.items():
        assert len(found[method]) == 10
        error = stdev(found[method]) * (1 / 5 + 1 / 10) ** 0.5
        assert abs(mean(found[method]) - expected) <= 3 * error, (method, mean(found[method]))
    apart = mean(found["banzhaf-msr 4000"]) - mean(found["banzhaf-msr"])
    assert apart > 0.05  # halves of 2,000 sets repeat less than 2,000 do


def test_where_a_range_is_named_the_middle_is_within_three_standard_errors_but_for_what_is_named():
    apart = set()
    for key, (low, high) in RANGES.items():
        values = BOARD[key]
        assert len(values) == 5
        error = (((high - low) / OF_FIVE) ** 2 / 5 + stdev(values) ** 2 / 5) ** 0.5
        if abs(mean(values) - (low + high) / 2) > 3 * error:
            apart.add(key)
            assert mean(values) > high  # nearer to 1 than the prototype, which is the limit
    assert apart == APART
