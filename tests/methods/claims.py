"""What tests of claims share: claims written down before the runs, one-sided paired t tests, p
adjusted by Holm over all claims of a file.
"""

from __future__ import annotations

import functools
import math
import os
from pathlib import Path
from typing import NamedTuple

import pytest
from bench.builtin.leaderboard._statistics import sign_test
from scipy import stats

import bench
from bench.plugins.registry import Registry
from bench.runs.transfer import records_of

SEEDS = range(200, 210)
SWEEPS = Path(__file__).resolve().parents[2] / "docs" / "records" / "sweeps"


class Claim(NamedTuple):
    """``better`` reaches more than ``other`` by more than ``margin``, in the metric's unit.

    A method may have parameters, as on the command line: ``name[param=value]``.
    ``other`` may be a weighted sum of methods, as (method, weight) pairs; of none it is 0, and so
    is an empty ``better``. ``variant`` and ``metric`` may be two: that of ``better`` and that of
    ``other``. Of an error, ``better`` is the method with the larger one.
    """

    track: str
    task: str
    variant: str | tuple[str, str]
    metric: str | tuple[str, str]
    better: str
    other: str | tuple[tuple[str, float], ...]
    margin: float = 0.0
    preset: str = "default"

    def terms(self):
        """Return (variant, metric, method, weight) of each part of what is claimed to be above 0."""
        first, second = zip(both(self.variant), both(self.metric), strict=True)
        rest = ((self.other, 1.0),) if isinstance(self.other, str) else self.other
        better = [(*first, self.better, 1.0)] if self.better else []
        return better + [(*second, name, -weight) for name, weight in rest]


def both(given):
    """Return what is given for both sides of a claim, or for each."""
    return given if isinstance(given, tuple) else (given, given)


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


def gains(claims, records, seeds=SEEDS):
    """Return the gain of each claim, seed by seed."""
    runs: dict[tuple, list] = {}
    for record in records:
        key = (record.track, record.task, record.variant, record.method, record.seed)
        runs.setdefault(key, []).append(record)

    def reached(claim, variant, metric, call, seed):
        name, _, given = call.rstrip("]").partition("[")
        asked = dict(pair.split("=") for pair in given.split(",") if pair)
        [found] = [
            record
            for record in runs[*claim[:2], variant, name, seed]
            if record.custom == bool(asked)
            and all(str(record.params[key]).lower() == value for key, value in asked.items())
        ]
        # a run that fails counts as chance, as on the boards
        ended = found.status == "ok"
        return found.metrics[metric] if ended else chance(*claim[:2], metric)

    return {
        claim: [
            sum(weight * reached(claim, *part, seed) for *part, weight in claim.terms())
            - claim.margin
            for seed in seeds
        ]
        for claim in claims
    }


def without_runs(claims, records):
    """Return the claims about a method of which there is no run."""
    there = {(one.track, one.task, one.variant, one.method) for one in records}
    return {
        claim
        for claim in claims
        for variant, _, call, _ in claim.terms()
        if (*claim[:2], variant, call.partition("[")[0]) not in there
    }


@functools.cache
def chance(track, task, metric):
    """Return what a trivial predictor reaches, as the task's card says."""
    [found] = [
        own
        for row in Registry().rows("task")
        if (row.card.track, row.card.name) == (track, task)
        for own in row.card.metrics
        if own.name == metric
    ]
    assert found.chance is not None, f"{metric} of {task} has no chance, which a failed run gets"
    return found.chance


def adjusted(gained, count=0):
    """Return each claim's p, adjusted over ``count`` claims (0: those that are there); one that is
    not there counts with the largest p, which is the most that it can do to the others.
    """
    raw = [p_value(values) for values in gained.values()]
    raw += [1.0] * (count - len(raw))
    return dict(zip(gained, holm(raw), strict=False))


def p_value(values):
    """Return the p of a mean above 0; of values that rounding alone tells apart, for which t is
    void, that of the sign test.
    """
    if equal(values):
        return sign_test(len(values)) / 2 if min(values) > 0 else 1.0
    return stats.ttest_1samp(values, 0.0, alternative="greater").pvalue


def equal(values):
    """Say whether rounding alone tells values apart, as of shares of a hundred."""
    return math.isclose(min(values), max(values), rel_tol=1e-9, abs_tol=1e-12)


def interval(values):
    """Return the 95 % interval of a mean; None: there is none of equal values."""
    if equal(values):
        return None
    return tuple(stats.ttest_1samp(values, 0.0).confidence_interval())


def failed(p_values):
    """Return the claims that do not hold."""
    return {claim for claim, p in p_values.items() if p >= 0.05}


def committed(name):
    """Return the records of docs/records/sweeps/NAME.jsonl; none where the runs are to come."""
    file = SWEEPS / f"{name}.jsonl"
    return [record for _, record in records_of(file)] if file.exists() else []


def failed_in(name, claims, seeds=SEEDS):
    """Return the claims that do not hold in committed records; skip where there are none."""
    records = committed(name)
    if not records:
        pytest.skip("the claims have not been run yet")
    return failed(adjusted(gains(claims, records, seeds)))


def run_anew(claims, folder, seeds=SEEDS, plugins=()):
    """Run the claims, print their table and return each one's adjusted p; ``plugins`` are files of
    methods that are in no room.

    With ``BENCH_CLAIMS`` the records stay in that folder, and what is there is not run again.
    """
    folder = os.environ.get("BENCH_CLAIMS") or str(folder)
    wanted: dict[tuple[str, str, str, str], set[str]] = {}
    for claim in claims:
        for variant, _, name, _ in claim.terms():
            wanted.setdefault((*claim[:2], claim.preset, variant), set()).add(name)
    records = []
    for (track, task, preset, variant), names in wanted.items():
        records += bench.run(
            method=sorted(names),
            task=task,
            track=track,
            preset=preset,
            variant=variant,
            seeds=seeds,
            device="cpu",
            flops=False,
            quiet=True,
            results=folder,
            plugins=plugins,
        )
    gained = gains(claims, records, seeds)
    print("\n".join(lines(gained)))
    return adjusted(gained)


def lines(gained, errors=(), track="", p_values=None):
    """Return the rows of a Markdown table: each claim, the difference or figure that it is about,
    and what became of it.

    Args:
        gained: each claim's gains, seed by seed.
        errors: (task, metric) of which less is better.
        track: whose claims are shown; all where it is empty.
        p_values: of the claims, adjusted; None: over these alone.
    """
    p_values, rows = p_values or adjusted(gained), []
    for claim, values in gained.items():
        if track not in ("", claim.track):
            continue
        # as it was measured: without the margin, and a figure alone without its sign
        shown = [(value + claim.margin) * (1 if claim.better else -1) for value in values]
        variants, metrics = (
            " against ".join(dict.fromkeys(both(given))) for given in (claim.variant, claim.metric)
        )
        rows.append(
            f"| {said(claim, (claim.task, claim.metric) in errors)} | {claim.task} {variants} | "
            f"{metrics} | {figures(shown)} | {p_values[claim]:.2g} | "
            f"{'holds' if p_values[claim] < 0.05 else 'fails'} |"
        )
    return rows


def figures(values):
    """Return the mean and its interval, as a page shows them."""
    places = 3 if max(abs(value) for value in values) < 1 else 2
    mean = f"{sum(values) / len(values):+.{places}f}"
    ends = interval(values)
    return f"{mean} [{ends[0]:+.{places}f}, {ends[1]:+.{places}f}]" if ends else mean


def said(claim, error=False):
    """Return what is claimed in words; of an error, the smaller one first."""
    other = (
        f"`{claim.other}`"
        if isinstance(claim.other, str)
        else " + ".join(
            f"`{name}`" if weight == 1 else f"{weight:g} `{name}`" for name, weight in claim.other
        )
    )
    if not claim.better:
        return f"{other} below {0 - claim.margin:g}"
    if not other:
        return f"`{claim.better}` {'below' if error else 'above'} {claim.margin:g}"
    asked = f" by more than {claim.margin:g}" if claim.margin > 0 else ""
    asked = f", or less than {-claim.margin:g} apart" if claim.margin < 0 else asked
    if error:
        return f"{other} below `{claim.better}`{asked}"
    return f"`{claim.better}` above {other}{asked}"
