"""How a published figure and a measured one compare: rules that were fixed before any run.

t is Student's 97.5 % point for n - 1 degrees of freedom, n the number of seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ._statistics import mean, sample_sd, t_quantile

FLOOR = 1.0
"""Points of percent; a difference up to this is none, however sure both figures are."""
CAP = 3.0
"""A difference beyond this is never excused by how unsure the published figure is."""
WIDEST = 1.5
"""The widest half-interval of ours that can hold a figure."""
FEWEST = 3
"""The fewest seeds that decide."""

HELD, ABOVE, BELOW = "held", "above", "below"
UNDECIDED, NOT_COMPARABLE = "undecided", "not comparable"
_DIGITS = 9
"""Decimals to which differences are taken, so that 83.3 - 82.3 is 1 point and no bit more."""


class Sample(NamedTuple):
    """What the seeds of one row say."""

    n: int
    mean: float | None
    """None: no seed has a figure, or one failed."""
    sd: float | None
    half: float | None
    """Half the width of the 95 % t interval of the mean; None with fewer than two seeds."""


class Verdict(NamedTuple):
    """What a row comes to."""

    word: str
    """Empty: nothing to judge."""
    why: str = ""
    """Of a word that leaves something open, the reason."""


def sample(values: Sequence[float]) -> Sample:
    """Return mean, standard deviation and interval of the figures of n seeds."""
    sd, n = sample_sd(values), len(values)
    half = None if sd is None else t_quantile(n - 1) * sd / math.sqrt(n)
    return Sample(n, mean(values) if values else None, sd, half)


def figure_verdict(
    ours: Sample, published: float, sd: float | None, obstacle: str = "", breaks: bool = False
) -> Verdict:
    """Judge a measured figure by a published one.

    With d the difference and s^2 = sd_ours^2 / n + sd_published^2, ``held`` says that |d| is at
    most min(CAP, max(FLOOR, t s)) and the half-interval at most WIDEST, ``above`` and ``below``
    that |d| is beyond max(FLOOR, t s). The published deviation is not divided: the paper's mean is
    one draw.

    Args:
        ours: the seeds.
        published: the figure.
        sd: its standard deviation; None: it is not given, and counts 0.
        obstacle: why the seeds can't be averaged, like one that failed.
        breaks: whether a departure makes the two incomparable.
    """
    if open_verdict := _open(ours, obstacle, breaks):
        return open_verdict
    assert ours.mean is not None
    assert ours.sd is not None
    assert ours.half is not None
    d = round(ours.mean - published, _DIGITS)
    s = math.hypot(ours.sd / math.sqrt(ours.n), sd or 0.0)
    allowed = max(FLOOR, t_quantile(ours.n - 1) * s)
    if abs(d) > allowed:
        return Verdict(ABOVE if d > 0 else BELOW)
    wide = round(ours.half, _DIGITS) > WIDEST
    if abs(d) <= CAP and not wide:
        return Verdict(HELD)
    reasons = [
        *([f"our interval is wider than ±{WIDEST:g} points"] if wide else []),
        *([f"the difference is beyond {CAP:g} points"] if abs(d) > CAP else []),
    ]
    return Verdict(UNDECIDED, " and ".join(reasons))


def ordering_verdict(
    differences: Sample, by: float, obstacle: str = "", breaks: bool = False
) -> Verdict:
    """Judge a claim that one method lies above another by at least ``by``.

    ``held`` says that the interval of the paired differences lies above 0 and their mean is at
    least half of ``by``; ``below`` that the whole interval lies below half of ``by``.

    Args:
        differences: seed by seed, positive where the claim is right.
        by: what is claimed, at least 0, in the metric's unit.
        obstacle: why the seeds can't be averaged.
        breaks: whether a departure makes the claim incomparable.
    """
    if open_verdict := _open(differences, obstacle, breaks):
        return open_verdict
    assert differences.mean is not None
    assert differences.half is not None
    centre = round(differences.mean, _DIGITS)
    low, high = centre - differences.half, centre + differences.half
    if low > 0 and centre >= by / 2:
        return Verdict(HELD)
    if high < by / 2:
        return Verdict(BELOW)
    return Verdict(
        UNDECIDED, "above, and by how much is open" if low > 0 else "the interval holds 0"
    )


def _open(ours: Sample, obstacle: str, breaks: bool) -> Verdict | None:
    """Return the verdict of what can't be judged."""
    if breaks:
        return Verdict(NOT_COMPARABLE)
    if obstacle:
        return Verdict(UNDECIDED, obstacle)
    if not ours.n:
        return Verdict("")
    if ours.n < FEWEST:
        return Verdict(UNDECIDED, f"{ours.n} seed{'s' * (ours.n > 1)}, {FEWEST} decide")
    return None
