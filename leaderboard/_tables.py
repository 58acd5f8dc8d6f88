"""The tables of a board: one a task, preset, variant and device, in the unit of the metric."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bench.cards import MethodCard, Metric, TaskCard
from bench.digests import digest
from bench.runs.record import Record

from ._class_notes import class_notes
from ._classes import ComparedRuns, main_clock
from ._metric_columns import columns_of, suspected, warning_notes, worst_of
from ._notes import table_notes
from ._ranks import compare_with_low, in_order, place
from ._rows import entrants, row_of
from ._text import one_line
from ._tuning_budget import parameters_from


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


def table_of(
    records: Sequence[Record],
    card: TaskCard | None,
    stale: set[str],
    runs: ComparedRuns,
    methods: Mapping[str, MethodCard | None],
) -> dict[str, Any]:
    first, classes = records[0], runs.classes
    primary, *others = metrics_of(records, card)
    members = entrants(records, primary.name, runs.aside)
    compared = [record for member in members for record in member.ok]
    timed = main_clock(compared, classes)
    names = [metric.name for metric in (primary, *others) if metric.name]
    rows = [
        row_of(
            member,
            names,
            stale,
            classes,
            timed,
            parameters_from(methods.get(member.first.method), member.first),
        )
        | {"plain": bool((own := methods.get(member.first.method)) and own.plain)}
        for member in members
    ]
    for member, row in zip(members, rows, strict=True):
        row["worst"] = worst_of(others, row["metrics"])
        row["warnings"] = suspected(others, member.ok)
    compare_with_low(members, rows, primary.direction)
    notes = place(members, rows, primary.direction)
    rows = in_order(rows, primary.direction)
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
        "columns": columns_of(others, rows),
        "seeds_expected": preset.seeds if preset else None,
        "rows": rows,
        "notes": [
            *notes,
            *warning_notes(rows),
            *table_notes(records, compared, card, primary.name),
            *class_notes(compared, classes, timed),
        ],
    }


def _metric(metric: Metric) -> dict[str, str]:
    return {
        "name": metric.name,
        "direction": metric.direction,
        "unit": one_line(metric.unit),
        "title": one_line(metric.title),
    }
