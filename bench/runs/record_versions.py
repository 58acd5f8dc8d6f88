"""Records of earlier schema versions, and what no reader of records agrees on with another."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bench.errors import BenchError


class RecordError(BenchError):
    """A record that can't be trusted; the text says why."""


def refuse_repeats(data: bytes) -> None:
    """Raise RecordError where a table says one name twice: readers differ
    in which of the two they take.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            names = [name for name, _ in pairs]
            raise RecordError(
                "it is damaged: it says "
                f"{next(name for name in names if names.count(name) > 1)[:100]!r} twice"
            )
        return table

    try:
        json.loads(data, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"it is damaged: {error}") from None


def _from_1(document: dict[str, Any]) -> dict[str, Any]:
    """Version 2 added ``tuning``: nothing was tuned before."""
    if "tuning" in document:
        raise RecordError("it is damaged: a record of schema version 1 has no field 'tuning'")
    return document


def _from_2(document: dict[str, Any]) -> dict[str, Any]:
    """Version 3 added ``data`` and ``flops``: neither was noted before."""
    for name in ("data", "flops"):
        if name in document:
            raise RecordError(f"it is damaged: a record of schema version 2 has no field {name!r}")
    return document


def _from_3(document: dict[str, Any]) -> dict[str, Any]:
    """Version 4 added ``digests`` and ``renewed``: neither was noted before."""
    for name in ("digests", "renewed"):
        if name in document:
            raise RecordError(f"it is damaged: a record of schema version 3 has no field {name!r}")
    return document


UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {
    1: _from_1,
    2: _from_2,
    3: _from_3,
}
"""Version -> what makes a document of it one of the next version. Entries are only ever added."""
