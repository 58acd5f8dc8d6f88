"""The board: what the records say of each task, as plain data.

It reads records and cards, and nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from bench.cards import MethodCard, Metric, TaskCard
from bench.digests import digest
from bench.runs.figures import held
from bench.runs.record import Record

from ._anchors import Anchors
from ._classes import Settled, class_notes, main_class, settle
from ._compare import comparison
from ._named import name_of
from ._notes import nothing, table_notes, tell_apart
from ._ranks import compare_with_low, in_order, place
from ._render import render
from ._rows import entrants, row_of
from ._suite import DEFAULT, Suite, find, in_seeds, load, named, tuned_board
from ._text import some
from ._tuned import at_budget, origin

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
            hold all seeds); ``tuned`` asks for the board at an equal tuning budget; ``cards`` maps
            ``track/name`` to the cards of methods, ``tracks`` the names of tracks to theirs;
            ``memo(name, build)`` remembers what was made of a set of records.

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
    chosen, beyond = held(chosen, tasks)
    shown = [record for record in chosen if not _trial(record, tasks.get(record.identity))]
    methods, trials = options.get("cards") or {}, len(chosen) - len(shown)
    if options.get("tuned"):
        suite = tuned_board(suite, options.get("track"))
        shown = at_budget(shown, suite, tasks, methods)
    shown, unused = in_seeds(suite, shown) if options.get("tier") else (shown, 0)
    # whichever methods are asked for: the class of a seed is the one of all that ran there
    settled = settle(shown, stale)
    compared = select(settled.records, options)
    suite = named(suite, options.get("tracks") or {})
    for group in tables_of(compared, tasks):
        card = tasks.get(group[0].identity)
        mine = {record.method: methods.get(f"{record.track}/{record.method}") for record in group}
        build = partial(_table, group, card, stale, settled, mine)
        name = name_of(group, [card, mine, suite.budget], stale, settled) if memo else ""
        tables.append(memo(name, build) if memo and name else build())
    tell_apart(tables)
    notes = (
        [f"{some(trials, 'trial run')} of --tune {'are' if trials > 1 else 'is'} left out."]
        if trials
        else []
    )
    notes += (
        [
            (
                "Left out as invalid, with figures outside their metrics' bounds: "
                f"{', '.join(beyond[:5])}{' and more' if len(beyond) > 5 else ''}."
            )
        ]
        if beyond
        else []
    )
    notes += (
        [
            (
                f"{some(unused, 'record')} of other seeds than 0 to {suite.seeds - 1} are not used "
                f"in the tier {suite.tier}."
            )
        ]
        if unused
        else []
    )
    notes += [] if tables else [nothing(records)]
    whole = not any(options.get(name) for name in ("tasks", "methods", "preset"))
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "board",
        "suite": _described(suite),
        "classes": settled.classes.told(compared),
        "tracks": list(_tracks(suite, anchors, shown, settled, tasks, options)) if whole else [],
        "tables": tables,
        "notes": notes,
    }


def _tracks(
    suite: Suite,
    anchors: Anchors,
    records: Sequence[Record],
    settled: Settled,
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
        _by_track(suite, places, settled.records),
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
            settled._replace(records=one_a_cell[track]),
        )
        mine = {
            identity: card
            for identity, card in (*tasks.items(), *methods.items())
            if identity.startswith(f"{track}/")
        }
        name = name_of(group, [suite, anchors, track, mine], stale, settled) if memo else ""
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
    """Write a board or a comparison as ``md``, ``json`` or ``csv``, a
    board's tracks as ``latex``; None for another format.
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
            (name -> card), ``load(ids)`` that yields whole records, ``picture(record, name)`` that
            returns the bytes of a PNG or None, ``history``: a Parquet file of earlier nights to
            which this board's is added, ``night``: its name (the day of the newest record
            otherwise), ``page``: whether to write index.html, ``required``: whether a page that
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
    rows, notes = comparison(groups, a, b, stale, settle(chosen, stale))
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "comparison",
        "a": a,
        "b": b,
        "rows": rows,
        "notes": notes,
    }


def select(records: Sequence[Record], options: Mapping[str, Any]) -> list[Record]:
    """Return the records that the options choose.

    The low references stay whatever the methods: the null is on every board.
    """
    track, tasks, methods, preset = (
        options.get(name) for name in ("track", "tasks", "methods", "preset")
    )

    def chosen(record: Record) -> bool:
        return (
            (not track or record.track == track)
            and (not tasks or record.identity in tasks)
            and (not preset or record.preset == preset)
            and (
                not methods
                or record.reference == "low"
                or record.method in methods
                or f"{record.track}/{record.method}" in methods
            )
        )

    return [record for record in records if chosen(record)]


def tables_of(records: Sequence[Record], tasks: Mapping[str, TaskCard]) -> list[list[Record]]:
    """Group records into tables, variants in the order of the card.

    Other task parameters make another table: another problem.
    """
    groups: dict[tuple[Any, ...], list[Record]] = defaultdict(list)
    places: dict[str, tuple[Any, ...]] = {}
    for record in records:
        if (row := record.group) in places:
            groups[places[row]].append(record)
            continue
        card = tasks.get(record.identity)
        variants = (
            list(card.presets[record.preset].variants)
            if card and record.preset in card.presets
            else []
        )
        position = variants.index(record.variant) if record.variant in variants else len(variants)
        places[row] = (
            record.track,
            record.task,
            record.preset,
            position,
            record.variant,
            record.device,
            digest(record.task_params),
        )
        groups[places[row]].append(record)
    return [groups[key] for key in sorted(groups)]


def _trial(record: Record, card: TaskCard | None) -> bool:
    """Say whether a record is a trial of ``--tune``: its figures are of held-out training data."""
    return bool(card and card.tuning) and all(
        record.task_params.get(name) == value for name, value in card.tuning.items()
    )  # type: ignore[union-attr]


def metrics_of(records: Sequence[Record], card: TaskCard | None) -> list[Metric]:
    """Return the metrics of a table, the primary one first, then those
    declared, then those found in the records alone.
    """
    found = dict.fromkeys(name for record in records for name in record.metrics)
    if card is None:
        return [Metric(name=name, direction="none") for name in found] or [
            Metric(name="", direction="none")
        ]
    declared = [card.primary, *(metric for metric in card.metrics if not metric.primary)]
    known = {metric.name for metric in declared}
    declared = [metric for metric in declared if not metric.validation]
    return [
        *declared,
        *(Metric(name=name, direction="none") for name in found if name not in known),
    ]


def _table(
    records: Sequence[Record],
    card: TaskCard | None,
    stale: set[str],
    settled: Settled,
    methods: Mapping[str, MethodCard | None],
) -> dict[str, Any]:
    first, classes = records[0], settled.classes
    primary, *others = metrics_of(records, card)
    members = entrants(records, primary.name, settled.aside)
    compared = [record for member in members for record in member.ok]
    timed = main_class(compared, classes)
    names = [metric.name for metric in (primary, *others) if metric.name]
    rows = [
        row_of(
            member,
            names,
            stale,
            classes,
            timed,
            origin(methods.get(member.first.method), member.first),
        )
        | {"plain": bool((own := methods.get(member.first.method)) and own.plain)}
        for member in members
    ]
    compare_with_low(members, rows, primary.direction)
    notes = place(members, rows, primary.direction)
    preset = card.presets.get(first.preset) if card else None
    return {
        "track": first.track,
        "task": first.task,
        "preset": first.preset,
        "variant": first.variant,
        "task_params": msgspec.to_builtins(first.task_params),
        "custom": all(row["custom"] for row in rows),
        "device": first.device,
        "test_set": card.test_set if card else "",
        "primary": _metric(primary),
        "metrics": [_metric(metric) for metric in others],
        "seeds_expected": preset.seeds if preset else None,
        "rows": in_order(rows, primary.direction),
        "notes": [
            *notes,
            *table_notes(records, compared, card, primary.name),
            *class_notes(compared, classes, timed),
        ],
    }


def _metric(metric: Metric) -> dict[str, str]:
    return {
        "name": metric.name,
        "direction": metric.direction,
        "unit": metric.unit,
        "title": metric.title,
    }
