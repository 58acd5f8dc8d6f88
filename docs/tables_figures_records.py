"""Which committed records a mark of a figure means, and what they say."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tables_cards import ROOT
from tables_figures_query import FigureError, Query, listed

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


def rows_of(query: Query, called: str) -> list[tuple[str, list[Row], Row | None]]:
    """Return for each variant of a task the rows that a mark names, and the one they are held
    against.
    """
    from bench.params_text import split_call

    task, given = split_call(called)
    every = _records(query, task)
    records = [record for record in every if _has(record.task_params, given)]
    there = sorted({record.variant for record in records})
    variants = there if query.variants == ["*"] else query.variants or there
    if not query.variants and len(there) > 1:
        raise FigureError(
            f"{task} has several variants ({', '.join(there)}); name one behind the task, or * for "
            "all."
        )
    found = []
    for variant in variants or [""]:
        if variant not in there:
            raise FigureError(
                f"{called} has no records of {variant!r}, only of {', '.join(there) or 'nothing'}."
            )
        here = [record for record in records if record.variant == variant]
        rival = None
        if query.methods[2:]:
            name, _, elsewhere = query.methods[2].partition("@")
            others = [record for record in every if record.variant == elsewhere]
            rival = (query.methods[2], _row(name, others if elsewhere else here))
        names = _names(query.methods[0], here, records, rival)
        found.append((variant, [(name, _row(name, here)) for name in names], rival))
    return found


def _names(said: str, here: Sequence[Any], records: Sequence[Any], rival: Row | None) -> list[str]:
    """Return the methods of ``a,b`` or of ``*!c``."""
    if not said.startswith("*"):
        return listed(said)
    apart = {*said.split("!")[1:]}
    if missing := sorted(apart - {record.method for record in records}):
        raise FigureError(f"{missing[0]!r} is left out of {said!r} and has no records.")
    return sorted(
        {record.method for record in here if not record.peeks}
        - apart
        - {rival[0].partition("[")[0].partition("@")[0] if rival else ""}
    )


def _row(called: str, records: Sequence[Any]) -> Mapping[int, Any]:
    """Return the records of a method with the parameters in its brackets, by seed."""
    from bench.params_text import split_call

    name, given = split_call(called)
    found = [record for record in records if record.method == name]
    if not found:
        there = ", ".join(sorted({record.method for record in records})) or "nothing"
        raise FigureError(f"no record is of {name!r}; there are records of {there}.")
    fitting = [record for record in found if _has(record.params, given)]
    if not given:
        plain = [record for record in fitting if not record.custom or "[" in record.variant]
        fitting = [record for record in fitting if not record.custom] or plain
    if len({json.dumps(record.params, sort_keys=True) for record in fitting}) != 1:
        raise FigureError(
            f"{called!r} means {'several rows' if fitting else 'none'} of those recorded "
            f"({_told_apart(name, [record.params for record in found])}); name one in brackets."
        )
    if len({record.seed for record in fitting}) < len(fitting):
        tasks = _told_apart(fitting[0].task, [record.task_params for record in fitting])
        raise FigureError(f"{called} has several records a seed, of {tasks}; name one behind 'on'.")
    return {record.seed: record for record in sorted(fitting, key=lambda record: record.seed)}


def _has(params: Mapping[str, Any], given: Mapping[str, Sequence[str]]) -> bool:
    return all(key in params and _same(params[key], texts[0]) for key, texts in given.items())


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
