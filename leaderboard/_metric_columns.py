"""What tables say of metrics beside the primary one: which are columns, in which of them a row is
worst, and what they let one suspect.

The cards of tasks say all of it; no name of a metric or a track stands here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.cards import Metric
from bench.runs.record import Record

from ._text import counted, one_line

Row = Mapping[str, Any]

FEW = 3
"""How many metrics a table shows beside the primary one where its card names none."""


def columns_of(metrics: Iterable[Metric], rows: Sequence[Row]) -> list[str]:
    """Return the names of the metrics that are columns, of those that some row has: those that the
    card names, or else the first few, those that judge before mere descriptions.
    """
    valued = [
        metric
        for metric in metrics
        if any(row["metrics"].get(metric.name) is not None for row in rows)
    ]
    if named := [metric.name for metric in valued if metric.shown]:
        return named
    judging = [metric.name for metric in valued if metric.direction != "none"]
    return (judging or [metric.name for metric in valued])[:FEW]


def worst_of(metrics: Iterable[Metric], reached: Mapping[str, float | None]) -> dict[str, str]:
    """Return what the worst of several metrics is called -> the name of the one in which a row is
    worst; of several that are level, the first and the number of the others.

    Args:
        metrics: those of the task.
        reached: metric -> mean over seeds.
    """
    groups: dict[str, dict[str, float]] = {}
    for metric in metrics:
        value = reached.get(metric.name)
        if metric.limits and value is not None:
            sign = -1 if metric.direction == "min" else 1
            groups.setdefault(one_line(metric.limits), {})[metric.name] = sign * value
    return {called: _lowest(values) for called, values in groups.items()}


def _lowest(values: Mapping[str, float]) -> str:
    least = min(values.values())
    first, *level = [name for name, value in values.items() if value == least]
    return f"{first} and {len(level)} more" if level else first


def suspected(metrics: Iterable[Metric], records: Sequence[Record]) -> list[str]:
    """Say what metrics let one suspect of a row's records, and of how many of its seeds."""
    said = []
    for metric in metrics:
        known = [record.metrics.get(metric.name) for record in records] if metric.warns else []
        values = [value for value in known if value is not None]
        if count := sum(value > 0 for value in values):
            said.append(f"{one_line(metric.warns)} on {count} of {counted(len(values), 'seed')}")
    return said


def warning_notes(rows: Iterable[Row]) -> list[str]:
    """Say of which rows something is suspected, a sentence each."""
    return [f"{row['method']}: {said}." for row in rows for said in row["warnings"]]
