"""The board of one track: normalised scores over its tasks, with intervals, places and verdicts."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from bench.cards import MethodCard, TaskCard
from bench.runs.record import Record

from ._aggregate import Array, Resamples, iqm, mean_ranks, on_front, superiority, track_interval
from ._anchors import Anchors, Fixed
from ._cells import SuiteCell, described, suite_cells
from ._classes import Classes, Settled, elsewhere_in, main_class, settle, track_class_notes
from ._costs import cost_of
from ._family import family
from ._ranks import EQUAL
from ._rows import on_axis
from ._saturation import hold_against_plain, plain_of, saturate, tasks_of
from ._scores import MethodScores, clashes, method_scores
from ._standing import standing
from ._suite import Suite
from ._text import some
from ._tuned import budget_notes, origin
from ._verdicts import TEST, against, agreement, columns, leave_one_out

FEWEST_TASKS = 3
"""Tasks below which resampling them says nothing of other tasks."""


def track_board(
    track: str,
    suite: Suite,
    anchors: Anchors,
    records: Sequence[Record],
    tasks: Mapping[str, TaskCard],
    methods: Mapping[str, MethodCard],
    stale: Collection[str],
    settled: Settled | None = None,
) -> dict[str, Any]:
    """Return the board of a track as plain data.

    Args:
        track: a track of the suite.
        suite: the suite.
        anchors: its frozen anchors.
        records: every record of the track that is no trial of ``--tune``.
        tasks: ``track/name`` -> card.
        methods: ``track/name`` -> card; one that never ran is a row all the same.
        stale: ids of records whose key is no longer the live one.
        settled: those of the records that are compared; None: to be found here.
    """
    settled = settled or settle(records, stale)
    cells = suite_cells(track, suite, anchors, settled.records, tasks, stale, settled.aside)
    clashing, plain = clashes(records), plain_of(track, methods)
    found = everybody(track, cells, suite, methods, clashing)
    if saturate(cells, found, plain, suite):
        found = everybody(track, cells, suite, methods, clashing)
    scored = tasks_of([cell for cell in cells if cell.state == "scored"])
    places = [place for place, task in enumerate(tasks_of(cells)) if task in scored]
    for one in found:
        one.scores = one.scores[places]
    compared = [record for one in found for record in one.records]
    timed = main_class(compared, settled.classes)
    rows = [_row(one, cells, track, methods, stale, settled.classes, timed) for one in found]
    obstacle = _obstacle(cells, suite, scored)
    for row in rows:
        row["why"] = row["why"] or obstacle
    ranked = _once(found, rows)
    board: dict[str, Any] = {
        "track": track,
        "title": suite.tracks[track].title,
        "about": suite.tracks[track].about,
        "valid": not any(cell.drift for cell in cells),
        "cells": [described(cell) for cell in cells],
        "scored_tasks": scored,
        "best_plain": "",
        "test": "",
        "rows": rows,
        "pairs": None,
        "agreement": None,
        "leave_one_out": None,
        "coverage": _coverage(rows, cells, suite),
        "hardware": sorted({str(record.provenance.get("cpu", "")) for record in compared} - {""}),
        "notes": [
            *_notes(track, cells, suite, obstacle, settled.classes),
            *budget_notes(track, suite, tasks, methods, rows),
            *track_class_notes(compared, settled.classes, timed),
        ],
    }
    if ranked:
        _fill(board, rows, [found[place] for place in ranked], ranked, suite)
    board["rows"] = sorted(rows, key=_order)
    return board


def everybody(
    track: str,
    cells: Sequence[SuiteCell],
    suite: Suite,
    methods: Mapping[str, MethodCard],
    clashing: Collection[str],
) -> list[MethodScores]:
    """Return the scores of every installed method of the track and of
    whatever else has records, by name.
    """
    cards = {
        identity.partition("/")[2]: card
        for identity, card in methods.items()
        if identity.startswith(f"{track}/")
    }
    names = sorted({*cards, *(method for cell in cells for method in cell.runs)})
    params = {
        cell.name: next((entrant.first.task_params for entrant in cell.runs.values()), None)
        for cell in cells
    }
    return [method_scores(name, cards.get(name), cells, suite, params, clashing) for name in names]


def _row(
    one: MethodScores,
    cells: Sequence[SuiteCell],
    track: str,
    methods: Mapping[str, MethodCard],
    stale: Collection[str],
    classes: Classes,
    timed: str,
) -> dict[str, Any]:
    """Return a row before it is compared with others."""
    card, first = methods.get(f"{track}/{one.method}"), next(iter((*one.records, *one.aside)), None)
    low = any(cell.sides[0] == one.method for cell in cells)
    high = any(cell.sides[1] == one.method for cell in cells)
    known = one.scores[~np.isnan(one.scores).any(1)] if one.scores.size else one.scores
    return {
        "place": None,
        "range": None,
        "leading": False,
        "method": one.method,
        "title": card.title if card else "",
        "defaults": origin(
            card, next((record for record in (*one.records, *one.aside) if record.tuning), None)
        ),
        "reference": "low" if low else "high" if high else first.reference if first else "",
        "plain": bool(card and card.plain),
        "peeks": any(record.peeks for record in one.records),
        "needs": sorted(card.needs)
        if card
        else sorted({need for record in one.records for need in record.needs}),
        "stale": any(record.id in stale for record in one.records),
        "score": round(float(np.sort(known, -1).mean()), 6) if known.size else None,
        "low": None,
        "high": None,
        "wide": None,
        "iqm": None,
        "p_better": None,
        "mean_rank": None,
        "vs_null": None,
        "vs_first": None,
        "vs_plain": None,
        "provisional": bool(one.missing),
        "imputed": one.imputed,
        "ok": sum(cell["ok"] for cell in one.cells.values()),
        "of": sum(cell["of"] for cell in one.cells.values()),
        "cells": one.cells,
        "cost": cost_of(one, cells, classes, timed),
        "class": classes.named(record for record in one.records if record.status == "ok"),
        "front": {"flops": False, "visits": False, "seconds": False},
        "why": _why(one, high),
    }


def _once(found: Sequence[MethodScores], rows: Sequence[dict[str, Any]]) -> list[int]:
    """Return the rows that may have a place, without those that equal
    another in every run: those get their reason.
    """
    held: dict[tuple[float, ...], int] = {}
    free = [place for place, row in enumerate(rows) if not row["why"]]
    for place in sorted(free, key=lambda place: (rows[place]["reference"] != "low", place)):
        figures = tuple(found[place].figures)
        twin = held.setdefault(figures, place) if not any(map(math.isnan, figures)) else place
        if twin != place:
            rows[place]["why"] = f"{EQUAL} {rows[twin]['method']} in every run"
    return [place for place in free if not rows[place]["why"]]


def _why(one: MethodScores, high: bool) -> str:
    """Say what keeps a method from a place; empty: nothing."""
    if any(record.peeks for record in one.records):
        return "it sees the hidden part"
    if high:
        return "it is the upper anchor"
    if one.skipped:
        return f"it does not apply to every task: {one.skipped}"
    if one.obstacle:
        return one.obstacle
    if one.missing:
        missing = (
            f"{some(one.missing, 'run')} missing" if one.records or one.aside else "not run yet"
        )
        return "; ".join([missing, *elsewhere_in(one.aside)])
    return ""


def _obstacle(cells: Sequence[SuiteCell], suite: Suite, scored: Sequence[str]) -> str:
    """Say why the track as a whole has no places; empty: it has."""
    if drifted := next((cell.drift for cell in cells if cell.drift), ""):
        return f"the anchors drifted: {drifted}"
    if suite.seeds < 2:  # no anchor has a deviation, whatever is run
        return "one seed says nothing of the spread"
    if any(cell.anchors is None or not cell.anchors.complete(suite.seeds) for cell in cells):
        return "anchors are missing"
    return "" if scored else "every cell is thin"


def _fill(
    board: dict[str, Any],
    rows: list[dict[str, Any]],
    members: list[MethodScores],
    ranked: list[int],
    suite: Suite,
) -> None:
    """Fill what the ranked rows say together."""
    scores: Array = np.stack([one.scores for one in members])
    names = [one.method for one in members]
    interval, ranks = track_interval(scores), mean_ranks(scores)
    varies = (scores.min(-1) < scores.max(-1)).any(-1)
    found = family(scores, suite.delta)
    stands = standing(
        found, np.round(interval.mean, 12), np.array([one.imputed > 0 for one in members])
    )
    pairs = columns(found, names)
    first = min(range(len(names)), key=lambda place: (stands.place[place], names[place]))
    null = next(
        (place for place, row in enumerate(ranked) if rows[row]["reference"] == "low"), None
    )
    vs_first, vs_null = (
        against(found, pairs, first),
        against(found, pairs, null) if null is not None else [None] * len(names),
    )
    for place, (own, low, high, leading) in enumerate(stands.rows()):
        rows[ranked[place]] |= {
            "place": own,
            "range": [low, high],
            "leading": leading,
            "score": _figure(interval.mean[place]),
            "low": _figure(interval.low[place]) if varies[place] else None,
            "high": _figure(interval.high[place]) if varies[place] else None,
            "mean_rank": _figure(ranks[place]),
            "vs_null": vs_null[place],
            "vs_first": vs_first[place],
        }
    board["best_plain"] = hold_against_plain([rows[place] for place in ranked], found, pairs)
    middle = _resampled([rows[place] for place in ranked], scores, null)
    for axis in ("flops", "visits", "seconds"):
        costed = [
            place
            for place, row_place in enumerate(ranked)
            if on_axis(rows[row_place]["cost"], axis)
        ]
        costs = np.array([rows[ranked[place]]["cost"][axis] for place in costed], float)
        for place, front in zip(
            costed, on_front(costs, interval.mean[costed], suite.delta), strict=True
        ):
            rows[ranked[place]]["front"][axis] = bool(front)
    board["test"] = TEST
    board["pairs"] = pairs
    board["agreement"] = agreement(names, interval.mean, middle, ranks)
    board["leave_one_out"] = leave_one_out(names, board["scored_tasks"], scores)


def _resampled(rows: Sequence[dict[str, Any]], scores: Array, null: int | None) -> Array:
    """Fill what rests on resamples: the interquartile mean, the chance to beat the null, the
    interval over other tasks; return the first.
    """
    resamples = Resamples(scores.shape[1], scores.shape[2])
    middle, ends = iqm(np.sort(scores.reshape(len(scores), -1), -1)), resamples.iqm(scores)
    wide = resamples.wide(scores) if scores.shape[1] >= FEWEST_TASKS else None
    chances = resamples.superiority(scores, scores[null]) if null is not None else scores
    for place, row in enumerate(rows):
        row["iqm"] = [_figure(middle[place]), *map(_figure, ends[place])]
        row["wide"] = [_figure(end) for end in wide[place]] if wide is not None else None
        if null is not None and place != null:
            row["p_better"] = [
                _figure(superiority(scores[place], scores[null])),
                *map(_figure, chances[place]),
            ]
    return middle


def _figure(value: Any) -> float:
    return round(float(value), 6) + 0.0  # no negative zero


def _order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Placed rows by score, then those that miss runs, then references, then what never ran."""
    standing = (
        0
        if row["place"]
        else 3
        if not row["ok"] and not row["imputed"]
        else 2
        if row["peeks"] or row["reference"] == "high"
        else 1
    )
    return (standing, -(row["score"] if row["score"] is not None else -1e9), row["method"])


def _coverage(
    rows: Sequence[Mapping[str, Any]], cells: Sequence[SuiteCell], suite: Suite
) -> dict[str, int]:
    """Count runs: those that there should be, those that succeeded, and those that failed."""
    entries = [
        cell for row in rows for cell in row["cells"].values() if cell["word"] != "not_applicable"
    ]
    return {
        "methods": len(rows),
        "cells": len(cells),
        "expected": sum(cell["of"] for cell in entries),
        "ok": sum(cell["ok"] for cell in entries),
        "imputed": sum(cell["imputed"] for cell in entries),
    }


def _notes(
    track: str, cells: Sequence[SuiteCell], suite: Suite, obstacle: str, classes: Classes
) -> list[str]:
    notes = [f"No places: {obstacle}."] if obstacle else []
    bare = [
        cell for cell in cells if cell.anchors is None or not cell.anchors.complete(suite.seeds)
    ]
    if bare and suite.seeds > 1:
        names = sorted(
            {side for cell in bare for side in cell.sides if not isinstance(side, Fixed)}
        )
        tasks = sorted({cell.task.task for cell in bare})
        command = (
            f"bench run --track {track} --method {','.join(names)} --task {','.join(tasks)} "
            f"--seeds {suite.seeds} --device {suite.device}"
        )
        if any(cell.runs[name].aside for cell in bare for name in names if name in cell.runs):
            wanted = classes.named(
                record
                for cell in bare
                for entrant in cell.runs.values()
                for record in entrant.records
            )
            notes.append(
                f"The anchors of {', '.join(tasks)} ran on another class of machine than the "
                f"others; run, on a machine of {wanted}: {command}"
            )
        else:
            notes.append(f"The anchors of {', '.join(tasks)} have not all run; run: {command}")
    loose = sorted(
        {cell.task.task for cell in cells if cell.anchors and not cell.frozen}
        - {cell.task.task for cell in bare}
    )
    if loose:
        notes.append(
            f"The anchors of {', '.join(loose)} are not frozen yet: they are the runs at hand."
        )
    for cell in cells:
        notes += cell.notes
        if cell.thin:
            notes.append(
                f"{cell.task.task} {cell.variant} is thin, shown and not counted: {cell.thin}."
            )
    return notes
