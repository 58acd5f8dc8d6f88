"""Who is better than whom in a track: paired differences, their tests, ranks that ties share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from ._aggregate import Array, can_reach, seeds_needed, signed_rank, track_interval
from ._statistics import ALPHA, holm

OVER_SEEDS = "paired t over seeds, on these tasks only"
OVER_TASKS = "Wilcoxon's signed ranks over tasks"


class Verdict(NamedTuple):
    """What a paired comparison in a track says; a positive difference says that the first is better."""

    mean: float
    low: float
    high: float
    p: float
    p_holm: float
    verdict: str
    """``better``, ``worse``, ``same`` (the interval lies inside +-delta) or ``undecided``."""
    seeds_needed: int | None
    """Seeds that would settle an undecided pair, if its differences stay as they are; None: decided, or no number would."""

    def plain(self) -> dict[str, Any]:
        """Return it as plain data."""
        figures = {name: round(float(getattr(self, name)), 6) for name in ("mean", "low", "high")}
        return {**figures, "p": _small(self.p), "p_holm": _small(self.p_holm), "verdict": self.verdict, "seeds_needed": self.seeds_needed}


def _small(p: float) -> float:
    return float(f"{p:.3g}")


def family(differences: Array, delta: float) -> tuple[list[Verdict], str]:
    """Judge paired differences that are shown together.

    Args:
        differences: (P, T, n) on the normalised scale, positive where the first of the pair is better.
        delta: the smallest difference worth calling one.

    Returns:
        One verdict a pair, and the name of the test. Signed ranks over tasks are used where they could tell anything
        apart after Holm's adjustment over the P tests; with fewer tasks a paired t test over the seeds takes their place.
    """
    if not len(differences):
        return [], ""
    over_tasks = can_reach(differences.shape[1], len(differences))
    found = track_interval(differences)
    p_values = signed_rank(np.sort(differences, -1).mean(-1)) if over_tasks else found.p
    adjusted = holm([float(p) for p in p_values])
    verdicts = []
    for place, p_holm in enumerate(adjusted):
        mean, low, high = (float(figures[place]) for figures in (found.mean, found.low, found.high))
        assert p_holm is not None
        word = verdict(mean, low, high, p_holm, delta)
        more = seeds_needed(differences[place], delta) if word == "undecided" else None
        verdicts.append(Verdict(mean, low, high, float(p_values[place]), p_holm, word, more))
    return verdicts, OVER_TASKS if over_tasks else OVER_SEEDS


def verdict(mean: float, low: float, high: float, p_holm: float, delta: float) -> str:
    """Name what a difference, its interval and its adjusted p say."""
    if p_holm < ALPHA and abs(mean) >= delta:
        return "better" if mean > 0 else "worse"
    return "same" if -delta < low and high < delta else "undecided"


class Standing(NamedTuple):
    """What all pairs of the ranked rows say together."""

    ranks: list[int]
    """1 + the number of rows that are better: by the family of all pairs or, the leader, by the family against it, which is smaller and sees more."""
    bold: list[bool]
    """True: better than every row whose score is lower, and there is one."""
    pairs: list[tuple[int, int, Verdict]]
    test: str
    """Of the pairs."""
    vs_leader: list[Verdict | None]
    leader_test: str


def standing(scores: Array, delta: float, leader: int) -> Standing:
    """Compare all pairs of (M, T, n) scores, and all rows with the one at ``leader``, the highest."""
    vs_leader, leader_test = against(scores, leader, delta)
    places = list(combinations(range(len(scores)), 2))
    first, second = np.array([pair[0] for pair in places], int), np.array([pair[1] for pair in places], int)
    verdicts, test = family(scores[first] - scores[second], delta)
    wins = {(leader, row) for row, found in enumerate(vs_leader) if found and found.verdict == "worse"}
    for (i, j), found in zip(places, verdicts, strict=True):
        if found.verdict in ("better", "worse"):
            wins.add((i, j) if found.verdict == "better" else (j, i))
    ranks = [1 + sum(loser == row for _, loser in wins) for row in range(len(scores))]
    beaten = [sum(winner == row for winner, _ in wins) for row in range(len(scores))]
    means = np.sort(scores, -1).mean((-2, -1))
    below = [int((means < mean).sum()) for mean in means]
    bold = [count > 0 and count == lower for count, lower in zip(beaten, below, strict=True)]
    return Standing(ranks, bold, [(i, j, found) for (i, j), found in zip(places, verdicts, strict=True)], test, vs_leader, leader_test)


def against(scores: Array, place: int, delta: float) -> tuple[list[Verdict | None], str]:
    """Compare every row of (M, T, n) scores with the one at ``place``."""
    others = [row for row in range(len(scores)) if row != place]
    verdicts, test = family(scores[others] - scores[place], delta)
    found: list[Verdict | None] = [None] * len(scores)
    for row, one in zip(others, verdicts, strict=True):
        found[row] = one
    return found, test


def agreement(names: Sequence[str], mean: Array, iqm: Array, mean_rank: Array) -> dict[str, Any]:
    """Say whether mean, interquartile mean and mean rank agree on the first three."""

    def first(figures: Array) -> list[str]:
        return [names[place] for place in sorted(range(len(names)), key=lambda place: (figures[place], names[place]))[:3]]

    tops = {"mean": first(-mean), "iqm": first(-iqm), "mean_rank": first(mean_rank)}
    return {**tops, "agree": tops["mean"] == tops["iqm"] == tops["mean_rank"]}


def leave_one_out(names: Sequence[str], tasks: Sequence[str], scores: Array) -> dict[str, Any] | None:
    """Say in how many drops of one task the first place stays where it is; None with fewer than two tasks."""
    if len(tasks) < 2 or not len(names):
        return None
    means = np.sort(scores, -1).mean(-1)

    def leader(kept: Array) -> str:
        return names[min(range(len(names)), key=lambda row: (-kept[row].mean(), names[row]))]

    whole = leader(means)
    drops = {task: leader(np.delete(means, place, 1)) for place, task in enumerate(tasks)}
    return {"leader": whole, "holds": sum(name == whole for name in drops.values()), "of": len(tasks), "without": drops}
