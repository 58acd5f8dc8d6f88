"""The board of one track: normalised scores over its tasks, with intervals, places and verdicts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from bench.cards import MethodCard, TaskCard
from bench.runs.record import Record

from ._aggregate import Array, Resamples, iqm, mean_ranks, on_front, superiority, track_interval
from ._anchors import Anchors
from ._cells import SuiteCell, described, suite_cells
from ._class_notes import track_class_notes
from ._classes import ComparedRuns, compared_runs, main_clock
from ._family import family
from ._metric_columns import warning_notes
from ._over_datasets import over_datasets
from ._rows import on_axis
from ._saturation import compare_with_plain, plain_of, saturate, tasks_of
from ._scores import MethodScores, clashes, method_scores
from ._standing import standing
from ._suite_file import Suite
from ._track_notes import coverage, track_notes, why_no_places
from ._track_rows import in_order, row_of, without_duplicates
from ._tuning_budget import budget_notes
from ._unaided import rank_unaided
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
    runs: ComparedRuns | None = None,
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
        runs: those of the records that are compared; None: to be found here.
    """
    runs = runs or compared_runs(records, stale)
    cells = suite_cells(track, suite, anchors, runs.records, tasks, stale, runs.aside)
    clashing, plain = clashes(records, tasks), plain_of(track, methods)
    found = all_method_scores(track, cells, suite, methods, clashing)
    if saturate(cells, found, plain, suite):
        found = all_method_scores(track, cells, suite, methods, clashing)
    scored = tasks_of([cell for cell in cells if cell.state == "scored"])
    places = [place for place, task in enumerate(tasks_of(cells)) if task in scored]
    for one in found:
        one.scores = one.scores[places]
    compared = [record for one in found for record in one.records]
    timed = main_clock(compared, runs.classes)
    rows = [row_of(one, cells, track, methods, stale, runs.classes, timed) for one in found]
    obstacle = why_no_places(cells, suite, scored)
    for row in rows:
        row["why"] = row["why"] or obstacle
    ranked = without_duplicates(found, rows)
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
        "coverage": coverage(rows, cells, suite),
        "hardware": sorted({str(record.provenance.get("cpu", "")) for record in compared} - {""}),
        "notes": [
            *track_notes(track, cells, suite, obstacle, runs.classes),
            *budget_notes(track, suite, tasks, methods, rows),
            *track_class_notes(compared, runs.classes, timed),
        ],
    }
    if ranked:
        _fill(board, rows, [found[place] for place in ranked], ranked, suite, cells)
    rank_unaided(rows)
    board["rows"] = sorted(rows, key=in_order)
    board["notes"] += warning_notes(board["rows"])
    return board


def all_method_scores(
    track: str,
    cells: Sequence[SuiteCell],
    suite: Suite,
    methods: Mapping[str, MethodCard],
    clashing: Collection[str],
) -> list[MethodScores]:
    """Return the scores of every installed method that the suite asks for on a task of the track,
    and of whatever else has records, by name.
    """
    cards = {
        identity.partition("/")[2]: card
        for identity, card in methods.items()
        if identity.startswith(f"{track}/")
    }
    asked = {name for name in cards for cell in cells if cell.task.asks_for(name)}
    names = sorted({*asked, *(method for cell in cells for method in cell.runs)})
    params = {
        cell.name: next((entrant.first.task_params for entrant in cell.runs.values()), None)
        for cell in cells
    }
    return [method_scores(name, cards.get(name), cells, suite, params, clashing) for name in names]


def _fill(
    board: dict[str, Any],
    rows: list[dict[str, Any]],
    members: list[MethodScores],
    ranked: list[int],
    suite: Suite,
    cells: Sequence[SuiteCell],
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
    board["best_plain"] = compare_with_plain([rows[place] for place in ranked], found, pairs)
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
    if suite.over_datasets:
        board["datasets"] = over_datasets(names, cells, board["scored_tasks"], scores)


def _resampled(rows: Sequence[dict[str, Any]], scores: Array, null: int | None) -> Array:
    """Fill what rests on resamples: the interquartile mean, the chance to beat the baseline, the
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
