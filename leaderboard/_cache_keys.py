"""The names under which boards of records are remembered: by all that they depend on."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from bench import cards, params
from bench.digests import digest
from bench.runs.record import Brief, Record

from ._classes import ComparedRuns


def cache_key(records: Sequence[Record], card: Any, stale: set[str], runs: ComparedRuns) -> str:
    """Name what is made of records by all that it depends on: what they say, which are stale or not
    compared, the names of classes, the cards and this code.

    Empty where that is not known.
    """
    if not all(isinstance(record, Brief) for record in records):
        return ""
    said = [
        f"{record.content}{'-' if record.id in stale else '+'}{runs.mark(record)}"
        for record in records
        if isinstance(record, Brief)
    ]
    return digest([_code(), said, card, runs.classes.names])


@cache
def _code() -> str:
    files = sorted(Path(__file__).parent.glob("*.py"))
    return digest(
        [
            file.read_text("utf-8")
            for file in (*files, *(Path(inspect.getfile(module)) for module in (params, cards)))
        ]
    )
