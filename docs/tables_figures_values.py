"""What the records of a mark say, seed by seed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tables_figures_query import FigureError, Query, seeds_of, spelt
from tables_figures_records import rows_of

_CURVE = re.compile(r"(?P<name>[\w.]+)@(?P<other>[\w.]+)(?P<sign>>=|<=)(?P<limit>-?[\d.e]+)")


def value_of(record: Any, metric: str) -> float:
    """Return what a record says of a metric.

    ``NAME`` is one of its metrics, ``cost.NAME``, ``counters.NAME`` and ``gates.NAME`` are of
    those; ``logs.NAME`` is what the method logged of it last; ``passes`` is 1 where all gates
    hold, else 0; ``flops`` are all operations;
    ``NAME@OTHER>=LIMIT`` is NAME at the first point of the curve where OTHER is there.

    Raises:
        LookupError: the record holds no such figure; the message says why.
    """
    if record.status != "ok":
        raise LookupError(f"the run is {record.status}")
    if metric == "flops":
        if record.flops is None or record.flops.uncounted:
            raise LookupError("its operations are not all counted")
        return float(record.flops.total)
    if metric == "passes":
        return float(all(record.gates.values()))
    if asked := _CURVE.fullmatch(metric):
        return _on_curve(record, metric, asked)
    group, _, name = metric.rpartition(".")
    if group not in ("", "cost", "counters", "gates", "logs"):
        raise FigureError(f"{group!r} is none of cost, counters, gates, logs.")
    values = getattr(record, group or "metrics")
    if group == "logs":
        values = {key: value for entry in values for key, value in entry.items()}
    if name not in values:
        raise FigureError(
            f"{record.method} on {record.task} records no {metric!r}; it records "
            f"{', '.join(sorted(values))}."
        )
    if values[name] is None:
        raise LookupError(f"{metric} is empty")
    return float(values[name])


def _on_curve(record: Any, metric: str, asked: re.Match[str]) -> float:
    limit = float(asked["limit"])
    named = {key for point in record.curve for key in point}
    for key in (asked["name"], asked["other"]):
        if key not in named:
            raise FigureError(
                f"the curve of {record.method} on {record.task} holds no {key!r}; it holds "
                f"{', '.join(sorted(named)) or 'nothing'}."
            )
    for point in record.curve:
        there, value = point.get(asked["other"]), point.get(asked["name"])
        if there is None or value is None:
            continue
        if there >= limit if asked["sign"] == ">=" else there <= limit:
            return float(value)
    raise LookupError(f"{metric} is never reached")


class Values(NamedTuple):
    """A figure of one method on one variant, or of a pair of methods, seed by seed."""

    name: str
    by_seed: dict[int, float | None]
    why: dict[int, str]
    """Seed -> why it has no value."""


def cells(query: Query) -> Iterator[Values]:
    """Yield the figures of each row that a mark names, or of each pair of rows."""
    for task in query.tasks:
        for variant, rows, rival in rows_of(query, task):
            against = rival and _values(query, *rival, f"{task} {variant}")
            for name, found in rows:
                row = _values(query, name, found, f"{task} {variant}")
                yield _paired(query, row, against) if against else row


def _values(query: Query, name: str, found: Mapping[int, Any], where: str) -> Values:
    by_seed: dict[int, float | None] = {}
    why = {}
    for seed, record in found.items():
        try:
            parts = [value_of(record, metric) for metric in query.metrics[::2]]
            by_seed[seed] = _apart(query.metrics, parts)
        except LookupError as error:
            by_seed[seed], why[seed] = None, str(error)
    return Values(f"{name} on {where}", by_seed, why)


def _apart(words: Sequence[str], parts: Sequence[float]) -> float:
    """Return the difference or the ratio of two figures, or the one there is."""
    if len(parts) == 1:
        return parts[0]
    if words[1] == "-":
        return parts[0] - parts[1]
    if not (parts[0] > 0 and parts[1] > 0):
        raise LookupError(f"{parts[0]:g} / {parts[1]:g} is no ratio of positive figures")
    return parts[0] / parts[1]


def _paired(query: Query, row: Values, other: Values) -> Values:
    wanted = seeds_of(query.options.get("seeds"))
    if wanted is None and row.by_seed.keys() != other.by_seed.keys():
        raise FigureError(
            f"{row.name} has the seeds {spelt(row.by_seed)} and {other.name} "
            f"{spelt(other.by_seed)}; name those to pair, like seeds=0-4, or commit the missing "
            "records."
        )
    by_seed: dict[int, float | None] = {}
    why = {}
    for seed in sorted(row.by_seed.keys() & other.by_seed.keys()):
        one, two = row.by_seed[seed], other.by_seed[seed]
        if one is None or two is None:
            by_seed[seed], why[seed] = None, (row.why | other.why)[seed]
            continue
        try:
            by_seed[seed] = _apart(query.methods, (one, two))
        except LookupError as error:
            by_seed[seed], why[seed] = None, str(error)
    return Values(f"{row.name} and {other.name}", by_seed, why)


def alike(rows: list[Values]) -> list[Values]:
    """Return rows whose seeds are the same.

    Raises:
        FigureError: they are not.
    """
    for row in rows:
        if row.by_seed.keys() != rows[0].by_seed.keys():
            raise FigureError(
                f"{rows[0].name} has the seeds {spelt(rows[0].by_seed)}, {row.name} "
                f"{spelt(row.by_seed)}; name those that are meant, like seeds=0-4."
            )
    return rows


def cut(cell: Values, wanted: Sequence[int]) -> Values:
    """Return the figures of the wanted seeds."""
    if missing := [seed for seed in wanted if seed not in cell.by_seed]:
        raise FigureError(
            f"{cell.name} has no record of the seeds {spelt(missing)} (only of "
            f"{spelt(cell.by_seed)}); run them and commit their records, or name other seeds."
        )
    return cell._replace(by_seed={seed: cell.by_seed[seed] for seed in wanted})


def whole(cell: Values) -> list[float]:
    """Return the figures of all seeds, of which none may be missing."""
    for seed, value in cell.by_seed.items():
        if value is None or not math.isfinite(value):
            raise FigureError(
                f"{cell.name} has no figure at seed {seed} ({cell.why.get(seed, 'not finite')}); "
                "leave the seed out with seeds=, or count those that have one with 'known'."
            )
    return [value for value in cell.by_seed.values() if value is not None]
