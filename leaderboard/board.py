"""The board: what the records say of each task, as plain data.

It reads records and cards, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.cards import TaskCard
from bench.runs.figures import held
from bench.runs.record import Record

from ._anchors import Anchors
from ._cache_keys import cache_key
from ._classes import ComparedRuns, compared_runs
from ._compare import comparison
from ._notes import left_out, no_records, note_other_problems
from ._render import render
from ._selection import is_trial, select
from ._series import of_this_series
from ._suite import declared, find, in_seeds, load, named, tuned_board
from ._suite_file import DEFAULT, Suite
from ._tables import metrics_of, table_of, tables_of
from ._tuning_budget import at_budget

SCHEMA_VERSION = 3


def bench_board(
    records: Sequence[Record], tasks: Mapping[str, TaskCard], options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the board of ``records``: a table for each task, preset, variant and device.

    Args:
        records: every record, in any order; the result does not depend on it.
        tasks: ``track/name`` -> card. A record's task may be missing: its plugin may no longer be
            installed.
        options: ``track``, ``tasks``, ``methods`` and ``preset`` choose records (the low references
            stay, whatever the methods); ``stale`` holds the ids of records whose key is no longer
            the live one; ``suite`` names the suite (the newest built-in one otherwise),
            ``suite_folders`` where else suites lie; ``tier`` is the suite's tier: records of its
            cells with other seeds are not used (left out: the default tier, and tables by variant
            hold all seeds); ``every_series`` keeps records of tasks that stand on the board of
            another series of suites; ``tuned`` asks for the board at an equal tuning budget;
            ``cards`` maps ``track/name`` to the cards of methods, ``tracks`` the names of tracks to
            theirs; ``memo(name, build)`` remembers what was made of a set of records.

    Returns:
        Plain data without nan; means in the metric's unit, scores between the suite's anchors,
        times in seconds, memory in MB. ``tracks`` is empty where tasks, methods or a preset were
        chosen: a part of a suite has no score.

    Raises:
        UsageError: there is no such suite or tier, or the suite's file can't be used.
    """
    stale, memo = options.get("stale") or set(), options.get("memo")
    tables = []
    suite, anchors = load(
        find(options.get("suite"), options.get("suite_folders") or ()),
        options.get("tier") or DEFAULT,
    )
    chosen = select(records, {**options, "methods": None})
    whole, elsewhere = not any(options.get(name) for name in ("tasks", "methods", "preset")), []
    if whole and not options.get("every_series"):
        chosen, elsewhere = of_this_series(chosen, suite)
    chosen, beyond = held(chosen, tasks)
    shown = [record for record in chosen if not is_trial(record, tasks.get(record.identity))]
    methods, trials = options.get("cards") or {}, len(chosen) - len(shown)
    retuned: list[str] = []
    if options.get("tuned"):
        suite = tuned_board(suite, options.get("track"))
        shown, retuned = at_budget(shown, suite, tasks, methods)
    shown, unused = in_seeds(suite, shown) if options.get("tier") else (shown, 0)
    # whichever methods are asked for: the class of a seed is the one of all that ran there
    runs = compared_runs(shown, stale)
    compared = select(runs.records, options)
    suite = named(suite, options.get("tracks") or {})
    for group in tables_of(compared, tasks):
        card = tasks.get(group[0].identity)
        mine = {record.method: methods.get(f"{record.track}/{record.method}") for record in group}
        build = partial(table_of, group, card, stale, runs, mine)
        name = cache_key(group, [card, mine, suite.budget], stale, runs) if memo else ""
        tables.append(memo(name, build) if memo and name else build())
    note_other_problems(tables)
    notes = [*left_out(trials, beyond, unused, suite), *elsewhere, *retuned]
    notes += [] if tables or elsewhere else [no_records(records)]
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "board",
        "suite": _described(suite),
        "classes": runs.classes.summary(compared),
        "tracks": list(_tracks(suite, anchors, shown, runs, tasks, options)) if whole else [],
        "tables": tables,
        "notes": notes,
    }


def _tracks(
    suite: Suite,
    anchors: Anchors,
    records: Sequence[Record],
    runs: ComparedRuns,
    tasks: Mapping[str, TaskCard],
    options: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """Yield the boards of the suite's tracks that have records in it."""
    stale, memo, methods = (
        options.get("stale") or set(),
        options.get("memo"),
        options.get("cards") or {},
    )
    places = {
        tuple(name.split("/")): track for track in suite.tracks for _, _, name in suite.cells(track)
    }
    groups, one_a_cell = (
        _by_track(suite, places, records),
        _by_track(suite, places, runs.records),
    )
    for track, group in groups.items():
        if not group:
            continue
        build = partial(
            _track,
            track,
            suite,
            anchors,
            group,
            tasks,
            methods,
            stale,
            runs._replace(records=one_a_cell[track]),
        )
        mine = {
            identity: card
            for identity, card in (*tasks.items(), *methods.items())
            if identity.startswith(f"{track}/")
        }
        name = cache_key(group, [suite, anchors, track, mine], stale, runs) if memo else ""
        yield memo(name, build) if memo and name else build()


def _by_track(
    suite: Suite, places: Mapping[tuple[str, ...], str], records: Sequence[Record]
) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = {track: [] for track in suite.tracks}
    for record in records:
        if record.device == suite.device and (
            track := places.get((record.track, record.task, record.preset, record.variant))
        ):
            groups[track].append(record)
    return groups


def _track(track: str, *rest: Any) -> dict[str, Any]:
    from ._track import track_board  # here, because a board that is remembered needs no arrays

    return track_board(track, *rest)


def _described(suite: Suite) -> dict[str, Any]:
    tracks = {
        name: {"title": track.title, "tasks": len(track.tasks), "cells": len(suite.cells(name))}
        for name, track in suite.tracks.items()
    }
    return {
        "name": suite.name,
        "device": suite.device,
        "tier": suite.tier,
        "tiers": suite.tiers,
        "budget": suite.budget,
        "seeds": suite.seeds,
        "delta": suite.delta,
        "tracks": tracks,
    }


def bench_render(board: Mapping[str, Any], format: str) -> str | None:
    """Write a board or a comparison as ``md``, ``json`` or ``csv``, a board's tracks as ``latex``,
    tables of published figures as ``md``, ``json`` or a ``page``; None for another format.
    """
    return render(board, format)


def bench_publish(
    board: Mapping[str, Any], records: Sequence[Record], folder: Path, options: Mapping[str, Any]
) -> list[str]:
    """Write the files of a board: page, Markdown, JSON with its schema, CSV, LaTeX and Parquet.

    Args:
        board: what :func:`bench_board` made.
        records: every record, in any order.
        folder: where to; it is there.
        options: ``tasks`` and ``cards`` (``track/name`` -> card of a task, of a method), ``tracks``
            and ``datasets`` (name -> card), ``sources`` (``track/name`` -> a method's file in the
            repository), ``load(ids)`` that yields whole records, ``picture(record, name)`` that
            returns the bytes of a PNG or None, ``history``: a Parquet file of earlier nights to
            which this board's is added, ``night``: its name (the day of the newest record
            otherwise), ``page``: whether to write the page, ``required``: whether a page that
            can't be made is an error.

    Returns:
        What there is to say.

    Raises:
        OSError: a file can't be written. EnvironmentFault: the page is required and its libraries
            are missing.
    """
    from ._publish import publish

    return publish(board, records, folder, options)


def bench_freeze(
    records: Sequence[Record], tasks: Mapping[str, TaskCard], options: Mapping[str, Any]
) -> list[str]:
    """Freeze a suite's anchors that live records hold with every seed, and the saturated tasks that
    all methods ran; what is frozen stays as it is.

    Args:
        records: every record, in any order.
        tasks: ``track/name`` -> card.
        options: ``suite``, ``suite_folders``, ``stale`` and ``cards``, as for :func:`bench_board`.

    Returns:
        What there is to say.
    """
    from ._publish import freeze

    return freeze(records, tasks, options)


def bench_compare(
    records: Sequence[Record],
    tasks: Mapping[str, TaskCard],
    a: str,
    b: str,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Compare two methods by the seeds that both have, in every table of the board.

    Args:
        records: every record, in any order.
        tasks: ``track/name`` -> card.
        a: a method's or reference's name: its default parameters; or ``name[param=value]``.
        b: the other one.
        options: as for :func:`bench_board`; ``methods`` does not matter here.

    Returns:
        Plain data. A positive difference says that ``a`` is better.

    Raises:
        ParameterError: ``a`` or ``b`` is malformed.
    """
    stale = options.get("stale") or set()
    chosen, _ = held(select(records, {**options, "methods": None}), tasks)
    groups = [
        (group, metrics_of(group, tasks.get(group[0].identity))[0])
        for group in tables_of(chosen, tasks)
    ]
    rows, notes = comparison(groups, a, b, stale, compared_runs(chosen, stale))
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "comparison",
        "a": a,
        "b": b,
        "rows": rows,
        "notes": notes,
    }


def bench_suite(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a suite declares to run as plain data; see :func:`._suite.declared`."""
    return declared(find(options.get("suite"), options.get("suite_folders") or ()))


def bench_papers(options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the tables of published figures as plain data; see :func:`._papers.papers`."""
    from ._papers import papers

    return papers(options.get("names") or (), options.get("folders") or ())


def bench_published(
    papers: Sequence[Mapping[str, Any]],
    records: Sequence[Record],
    tasks: Mapping[str, TaskCard],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Return such tables beside records, as plain data; see :func:`._papers.published`."""
    from ._papers import published

    return published(papers, records, tasks, options)
