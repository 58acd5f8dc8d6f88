"""Which committed records a mark of a figure means, and what they say."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tables_cards import ROOT
from tables_figures_query import FigureError, Query, listed, seeds_of, spelt

RECORDS = ROOT / "docs" / "records"
Row = tuple[str, Mapping[int, Any]]
"""A method as the mark names it, and its record by seed."""


@functools.cache
def _read(file: Path) -> Sequence[Any]:
    """Return the records of a file that the board would compare: one a cell."""
    from bench.builtin.leaderboard._classes import compared_runs

    from bench.errors import BenchError
    from bench.runs.transfer import records_of

    try:
        compared = compared_runs([record for _, record in records_of(file)], frozenset())
    except BenchError as error:
        raise FigureError(str(error)) from None
    return [record for record in compared[0] if record.id not in compared[1]]


def _records(query: Query, task: str) -> list[Any]:
    """Return the records of a task, of one preset."""
    place = query.options.get("from", "")
    files = [RECORDS / f"{place}.jsonl"] if place else sorted(RECORDS.glob(f"*.{task}.jsonl"))
    if not files or not files[0].is_file():
        there = sorted(
            file.stem.rpartition(".")[2]
            for file in (files[0].parent if files else RECORDS).glob(
                "*.jsonl" if place else "*.*.jsonl"
            )
        )
        raise FigureError(
            f"no records are committed in docs/records/{place or '*.' + task}.jsonl (there are "
            f"some of {', '.join(there) or 'nothing'}); run the task and commit its records, or "
            "take the figure out."
        )
    found = [record for record in _read(files[0]) if record.task == task]
    presets = sorted({record.preset for record in found})
    preset = query.options.get("preset") or (presets[0] if len(presets) == 1 else "default")
    if preset not in presets:
        raise FigureError(
            f"{files[0].name} holds no record of {task} in the preset {preset!r}; it holds "
            f"{', '.join(presets) or 'none at all'}. Name one with preset=."
        )
    return [record for record in found if record.preset == preset]


def rows_of(query: Query, task: str) -> list[tuple[str, list[Row], Row | None]]:
    """Return for each variant of a task the rows that a mark names, and the one they are held
    against.
    """
    records = _records(query, task)
    there = sorted({record.variant for record in records})
    variants = there if query.variants == ["*"] else query.variants or there
    if not query.variants and len(there) > 1:
        raise FigureError(
            f"{task} has several variants ({', '.join(there)}); name one behind the task, or * for "
            "all."
        )
    found = []
    for variant in variants:
        if variant not in there:
            raise FigureError(f"{task} has no records of {variant!r}, only of {', '.join(there)}.")
        here = [record for record in records if record.variant == variant]
        rival = (query.methods[2], _row(query.methods[2], here)) if query.methods[2:] else None
        left = query.methods[0]
        if left.startswith("*"):
            apart = {*left.split("!")[1:], rival[0] if rival else ""}
            left_out = apart - {record.method for record in records} - {""}
            if left_out:
                raise FigureError(f"{left_out.pop()!r} is left out of {left!r} and has no records.")
            names = sorted({record.method for record in here if not record.peeks} - apart)
        else:
            names = listed(left)
        found.append((variant, [(name, _row(name, here)) for name in names], rival))
    return found


def _row(called: str, records: Sequence[Any]) -> Mapping[int, Any]:
    """Return the records of a method with the parameters in its brackets, by seed."""
    from bench.params_text import split_call

    name, given = split_call(called)
    found = [record for record in records if record.method == name]
    if not found:
        there = ", ".join(sorted({record.method for record in records}))
        raise FigureError(f"no record is of {name!r}; there are records of {there}.")
    fitting = [
        record
        for record in found
        if all(
            key in record.params and _same(record.params[key], texts[0])
            for key, texts in given.items()
        )
    ]
    if not given:
        plain = [record for record in fitting if not record.custom or "[" in record.variant]
        fitting = [record for record in fitting if not record.custom] or plain
    sets = {json.dumps(record.params, sort_keys=True): record.params for record in fitting}
    if len(sets) != 1:
        shown = _told_apart(name, [record.params for record in found])
        raise FigureError(
            f"{called!r} means {'several rows' if sets else 'none'} of those recorded ({shown}); "
            "name one in brackets."
        )
    return {record.seed: record for record in sorted(fitting, key=lambda record: record.seed)}


def _told_apart(name: str, every: Sequence[Mapping[str, Any]]) -> str:
    """Write the parameter sets of a method by what tells them apart."""
    keys = {key for params in every for key in params}
    unlike = sorted(
        key for key in keys if len({json.dumps(params.get(key)) for params in every}) > 1
    )
    if not unlike:
        return f"{name} alone, with " + ", ".join(f"{key}={every[0][key]}" for key in sorted(keys))
    return " and ".join(
        sorted({f"{name}[{','.join(f'{k}={p.get(k)}' for k in unlike)}]" for p in every})
    )


def _same(value: Any, text: str) -> bool:
    """Say whether a recorded parameter is what a mark writes."""
    try:
        return bool(json.loads(text if text[:1] != "." else f"0{text}") == value)
    except ValueError:
        return str(value) == text


_CURVE = re.compile(r"(?P<name>[\w.]+)@(?P<other>[\w.]+)(?P<sign>>=|<=)(?P<limit>-?[\d.e]+)")


def value_of(record: Any, metric: str) -> float:
    """Return what a record says of a metric.

    ``NAME`` is one of its metrics, ``cost.NAME``, ``counters.NAME`` and ``gates.NAME`` are of
    those; ``passes`` is 1 where all gates hold, else 0; ``flops`` are all operations;
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
    if group not in ("", "cost", "counters", "gates"):
        raise FigureError(f"{group!r} is none of cost, counters, gates.")
    values = getattr(record, group or "metrics")
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
