"""Parts of docs/tracks/selection.md that are generated from committed records of single tables: the
search for the learning rate, gains over random rows on other splits, and how often intervals cover
the mean of ten splits that they were not made of.

Seeds draw the split, so a record of another seed is one of another split.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import math
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tables_cards import ROOT
from tables_records import RECORDS

SHARES = ("auc", "acc_10", "acc_20", "acc_30", "acc_50", "acc_80")
OTHERS = 10
"""Splits whose mean an interval is to cover."""
FIVE = 5
"""Splits that the board has."""


@functools.cache
def rates(file: str) -> str:
    """Return the validation score of random rows by learning rate as Markdown: mean and 95 % t
    interval over seeds, each variant with shares of the rows and with all, and the mean of the
    variants that decides.
    """
    from bench.builtin.leaderboard._statistics import mean, t_interval

    if lacking := missing(file):
        return lacking
    found: dict[tuple[str, bool], dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in _records(file):
        whole = tuple(record.task_params["fractions"]) == (1.0,)
        at = record.task_params["lr"]
        found[record.variant.partition("[")[0], whole][at].append(record.metrics["auc_val"])
    variants = sorted({variant for variant, _ in found})
    columns = [
        (name, whole) for whole in (False, True) for name in variants if (name, whole) in found
    ]
    names = [f"{variant}, {'all rows' if whole else 'random rows'}" for variant, whole in columns]
    lines = [
        f"| rate | {' | '.join(names)} | decides |",
        f"| --- |{' --- |' * (len(columns) + 1)}",
    ]
    grid = sorted(found[variants[0], False])
    decides = {at: mean([mean(found[name, False][at]) for name in variants]) for at in grid}
    for at in grid:
        cells = []
        for column in columns:
            low, high = t_interval(found[column][at]) or (math.nan, math.nan)
            cells.append(f"{mean(found[column][at]):.1f} [{low:.1f}, {high:.1f}]")
        mark = "**" if decides[at] == max(decides.values()) else ""
        lines.append(f"| {at:g} | {' | '.join(cells)} | {mark}{decides[at]:.2f}{mark} |")
    return "\n" + "\n".join(lines) + "\n\n"


@functools.cache
def splits(file: str) -> str:
    """Return gains over random rows of the same split as Markdown, a table a variant: the mean with
    the 95 % interval for the mean of ten other splits, and on how many splits the gain is above 0.
    """
    if lacking := missing(file):
        return lacking
    tables = []
    for variant, methods in gains(file).items():
        heads = ["auc", *(f"{name.partition('_')[2]} %" for name in SHARES[1:])]
        lines = [
            f"`{variant}`",
            "",
            f"| method | above random | {' | '.join(heads)} |",
            f"| --- | --- |{' --- |' * len(heads)}",
        ]
        for method, metrics in methods.items():
            cells = []
            for metric in SHARES:
                low, high = other_splits(metrics[metric])
                cells.append(f"{np.mean(metrics[metric]):+.1f} [{low:+.1f}, {high:+.1f}]")
            above = f"{sum(gain > 0 for gain in metrics['auc'])} of {len(metrics['auc'])}"
            lines.append(f"| `{method}` | {above} | {' | '.join(cells)} |")
        tables.append("\n".join(lines))
    return "\n" + "\n\n".join(tables) + "\n\n"


@functools.cache
def coverage(*files: str) -> str:
    """Return how often intervals of five splits cover the mean of ten others, as Markdown: over all
    draws of five of the committed splits and all methods, and for the worst method (and share).
    """
    if lacking := missing(*files):
        return lacking
    lines = [
        "| records | variant | gains in | splits | methods | t interval of five | for ten others |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for file in files:
        for variant, methods in gains(file).items():
            for name, chosen in (("`auc`", SHARES[:1]), ("accuracy, each share", SHARES[1:])):
                cells = []
                for widened in (False, True):
                    found = [
                        covered(metrics[metric], widened)
                        for metrics in methods.values()
                        for metric in chosen
                    ]
                    cells.append(f"{100 * np.mean(found):.1f} % (least {100 * min(found):.1f})")
                count = len(next(iter(methods.values()))["auc"])
                lines.append(
                    f"| `{file}` | {variant} | {name} | {count} | {len(methods)} | "
                    f"{' | '.join(cells)} |"
                )
    return "\n" + "\n".join(lines) + "\n\n"


@functools.cache
def claimed(track: str) -> str:
    """Return what tests/methods/TRACK/test_TRACK_claims.py claimed before the runs, and what became
    of it, as Markdown.
    """
    methods = ROOT / "tests" / "methods"
    sys.path += [str(methods / track), str(methods)]  # claims.py, which they share, is above
    tested = importlib.import_module(f"test_{track}_claims")
    lines = [
        "| claim | task | over random rows, ten splits (95 % interval) | adjusted p | |",
        "| --- | --- | --- | --- | --- |",
        *tested.lines(),
    ]
    return "\n" + "\n".join(lines) + "\n\n"


def other_splits(values: Sequence[float], others: int = OTHERS) -> tuple[float, float]:
    """Return the 95 % interval for the mean of ``others`` splits that ``values`` (n >= 2) are not
    of: mean -+ t_{n-1} s sqrt(1/n + 1/others), Student's prediction interval.

    The interval for the mean of all splits, without the second fraction, is too narrow for it.
    """
    centre, half = float(np.mean(values)), _halves(np.asarray(values)[None], others)[0]
    return centre - half, centre + half


def covered(values: Sequence[float], widened: bool) -> float:
    """Return in which share of all draws of five values the interval of these five holds the mean
    of the others, in [0, 1].

    Args:
        values: of fifteen splits or more; of the others the first ten count.
        widened: the interval for ten other splits instead of that for the mean of all.

    Raises:
        ValueError: fewer than fifteen values.
    """
    if len(values) < FIVE + OTHERS:
        raise ValueError(
            f"{len(values)} splits are too few to draw {FIVE} and to have {OTHERS} others; run "
            f"{FIVE + OTHERS} or more"
        )
    numbers = np.asarray(values)
    draws = np.array(list(itertools.combinations(range(len(numbers)), FIVE)))
    left = np.ones((len(draws), len(numbers)), dtype=bool)
    np.put_along_axis(left, draws, False, 1)
    first = left & (left.cumsum(1) <= OTHERS)
    means = np.where(first, numbers, 0.0).sum(1) / OTHERS
    own = numbers[draws]
    halves = _halves(own, OTHERS if widened else None)
    return float((np.abs(own.mean(1) - means) <= halves).mean())


def _halves(values: np.ndarray, others: int | None) -> np.ndarray:
    """Return half of the width of the interval of each row of values (draws, n)."""
    from scipy.special import stdtrit

    n = values.shape[1]
    room = 1 / n + (1 / others if others else 0.0)
    return stdtrit(n - 1, 0.975) * values.std(1, ddof=1) * math.sqrt(room)


def gains(file: str) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Return what methods gain over random rows of the same seed: variant -> method -> metric ->
    values in the order of the seeds.

    Raises:
        ValueError: a method lacks a seed that the random rows have.
    """
    found: dict[str, dict[str, dict[int, Mapping[str, Any]]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for record in _records(file):
        found[record.variant][record.method][record.seed] = record.metrics
    for variant, methods in found.items():
        for method, seeds in methods.items():
            if seeds.keys() != methods["random"].keys():
                raise ValueError(
                    f"{file}.jsonl has other seeds of {method} than of random on {variant}; run "
                    "those that are missing"
                )
    return {
        variant: {
            method: {
                metric: [
                    seeds[seed][metric] - methods["random"][seed][metric] for seed in sorted(seeds)
                ]
                for metric in SHARES
            }
            for method, seeds in sorted(methods.items())
            if method != "random"
        }
        for variant, methods in sorted(found.items())
    }


def missing(*files: str) -> str:
    """Say which files of docs/records/sweeps are not there yet; empty if all are."""
    lacking = [f"`{file}`" for file in files if not _path(file).is_file()]
    return f"\nNo record of {', '.join(lacking)} is committed.\n\n" if lacking else ""


def _path(file: str) -> Path:
    return RECORDS / "sweeps" / f"{file}.jsonl"


def _records(file: str) -> list[Any]:
    from bench.runs.transfer import records_of

    return [
        record
        for _, record in records_of(_path(file))
        if record.status == "ok" and not record.peeks
    ]
