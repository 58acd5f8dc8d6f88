"""Plain baselines on a track's board: which tasks one of them saturates, and the verdicts of the
other rows against the best of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from bench.cards import MethodCard

from ._cells import SuiteCell
from ._family import Family
from ._scores import MethodScores
from ._suite_file import Suite
from ._verdicts import against

SHARE = 0.9
"""The share of the best other method's score at which a plain row saturates a task."""


def plain_of(track: str, methods: Mapping[str, MethodCard]) -> frozenset[str]:
    """Return the names of the track's plain baselines: what their cards
    say, whatever the age of a record.
    """
    return frozenset(
        identity.partition("/")[2]
        for identity, card in methods.items()
        if card.plain and identity.startswith(f"{track}/")
    )


def tasks_of(cells: Sequence[SuiteCell]) -> list[str]:
    """Return the tasks of cells, in their order."""
    return list(dict.fromkeys(cell.task.task for cell in cells))


def saturate(
    cells: Sequence[SuiteCell], found: Sequence[MethodScores], plain: Collection[str], suite: Suite
) -> bool:
    """Mark the cells of saturated tasks, which are shown and not counted; return whether there is
    one.

    What was frozen with the anchors counts; else the runs at hand serve. Where every task of the
    track would go, all count. Suites of schema version 1 are from before the rule.

    Args:
        cells: the track's.
        found: what every method reached in them.
        plain: names of the plain baselines.
        suite: the suite.
    """
    if suite.schema_version == 1:
        return False
    scored = tasks_of([cell for cell in cells if cell.state == "scored"])
    reasons = {task: _frozen(task, cells) for task in scored}
    loose = [task for task, reason in reasons.items() if reason is None]
    reasons |= {
        task: reason for task, reason in decided(cells, found, plain).items() if task in loose
    }
    full = {task: reason for task, reason in reasons.items() if reason}
    empties = len(full) == len(scored)
    for task, reason in full.items():
        mine = [cell for cell in cells if cell.task.task == task and cell.state == "scored"]
        more = (
            " This is not frozen yet: it goes by the runs at hand."
            if task in loose
            else " This was decided when the anchors were frozen."
        )
        counts = (
            "is saturated and counts all the same, since every task of the track is"
            if empties
            else "is saturated, shown and not counted"
        )
        mine[0].notes.append(f"{task} {counts}: {reason}.{more}")
        for cell in mine:
            cell.saturated = "" if empties else reason
    return bool(full) and not empties


def _frozen(task: str, cells: Sequence[SuiteCell]) -> str | None:
    """Return what was frozen of a task: why it is saturated, empty: it is
    not; None: nothing yet.
    """
    mine = [
        cell.anchors.saturated
        for cell in cells
        if cell.task.task == task and cell.frozen and cell.anchors
    ]
    return next((reason for reason in mine if reason is not None), None)


def decided(
    cells: Sequence[SuiteCell], found: Sequence[MethodScores], plain: Collection[str]
) -> dict[str, str]:
    """Say of every task why it is saturated, empty: it is not.

    It is where the best plain baseline reaches nine tenths of the best other method's score, both
    the mean over the seeds and the cells that count. Who misses a run of the task, sees the hidden
    part or is an upper anchor is not compared.
    """
    able = [one for one in _contestants(cells, found) if not one.obstacle]
    reasons = {}
    for place, task in enumerate(tasks_of(cells)):
        reached = {
            one.method: float(one.scores[place].mean())
            for one in able
            if one.scores.size and not np.isnan(one.scores[place]).any()
        }
        best = [
            _best({name: score for name, score in reached.items() if (name in plain) == kind})
            for kind in (True, False)
        ]
        reasons[task] = _reason(*best) if all(best) else ""  # type: ignore[arg-type]
    return reasons


def _contestants(cells: Sequence[SuiteCell], found: Sequence[MethodScores]) -> list[MethodScores]:
    """Return who is compared: not an upper anchor, nor who sees the hidden part."""
    upper = {cell.sides[1] for cell in cells}
    return [
        one
        for one in found
        if one.method not in upper and not any(record.peeks for record in one.records)
    ]


def _best(reached: Mapping[str, float]) -> tuple[str, float] | None:
    """Return the first of the highest, by name, with its score."""
    return min(
        ((name, round(score, 9)) for name, score in reached.items()),
        key=lambda one: (-one[1], one[0]),
        default=None,
    )


def _reason(plain: tuple[str, float], other: tuple[str, float]) -> str:
    if plain[1] >= other[1]:
        return (
            f"{plain[0]}, a plain baseline, reaches {plain[1]:.3f} there, and no other method "
            f"more than {other[1]:.3f} ({other[0]})"
        )
    if plain[1] >= SHARE * other[1]:
        return (
            f"{plain[0]}, a plain baseline, reaches {plain[1]:.3f} there, "
            f"{100 * plain[1] / other[1]:.0f} % of the {other[1]:.3f} of {other[0]}, the best "
            "other method"
        )
    return ""


def undecided(task: str, cells: Sequence[SuiteCell], found: Sequence[MethodScores]) -> str:
    """Say what keeps the saturation of a task from being frozen, as ``3
    runs of elr are missing``; empty: nothing.
    """
    names = [cell.name for cell in cells if cell.task.task == task]
    if any(cell.anchors is None for cell in cells if cell.task.task == task):
        return "its anchors are not all there"
    for one in _contestants(cells, found):
        missing = sum(
            reached["of"] - reached["ok"] - reached["imputed"]
            for name in names
            if (reached := one.cells[name])["word"] != "not_applicable"
        )
        if missing:
            return (
                f"{missing} runs of {one.method} are missing"
                if missing > 1
                else f"a run of {one.method} is missing"
            )
    return ""


def compare_with_plain(
    rows: Sequence[dict[str, Any]], pairs: Family, columns: dict[str, Any]
) -> str:
    """Give every placed row its verdict against the best plain baseline, from the family of all
    pairs; return that one's name, empty: there is none.

    The best is the one with the highest score, of equal ones the first by name.
    """
    mine = [place for place, row in enumerate(rows) if row["plain"]]
    if not mine:
        return ""
    best = min(mine, key=lambda place: (rows[place]["place"], rows[place]["method"]))
    for row, verdict in zip(rows, against(pairs, columns, best), strict=True):
        row["vs_plain"] = verdict
    return str(rows[best]["method"])
