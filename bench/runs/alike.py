"""Whether two records of one run say the same, bit for bit, in all that no clock decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.cards import TaskCard
from bench.digests import digest
from bench.runs.record import Record
from bench.runs.replay import differing


def unlike(
    first: Record,
    second: Record,
    card: TaskCard | None,
    kept: tuple[Mapping[str, str], Mapping[str, str]] | None = None,
) -> list[str]:
    """Return what is not the same in two records: metrics by name but those that are read off a
    clock, gates, the curve, counters, the status, and arrays (but those with times in them) and
    pictures.

    Args:
        first: one of them.
        second: the other.
        card: of their task; None: it is not here, and every metric counts.
        kept: digests of their arrays and pictures; None: those that both records name.
    """
    found = ["status"] if first.status != second.status else []
    found += sorted(differing(first, second, card))
    found += [f"gate {name}" for name in _other(first.gates, second.gates)]
    found += [f"{name} visits" for name in _other(first.counters, second.counters)]
    found += ["not_rankable"] if first.not_rankable != second.not_rankable else []
    clocks = card.clocks if card else frozenset[str]()
    if digest(_timeless(first, clocks)) != digest(_timeless(second, clocks)):
        found.append("curve")
    if kept is None:
        both = first.digests and second.digests
        kept = (first.digests, second.digests) if both else ({}, {})
    timed = {f"array:{name}" for name in card.clock_arrays} if card else set()
    return found + [name for name in _other(*kept) if name not in timed]


def _other(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Return the names under which two tables hold other values."""
    return sorted(
        name
        for name in first.keys() | second.keys()
        if name not in first or name not in second or digest(first[name]) != digest(second[name])
    )


def _timeless(record: Record, clocks: Any) -> list[dict[str, Any]]:
    """Return a curve without seconds, and without operations, which some runs are counted for."""
    return [
        {name: value for name, value in entry.items() if name not in clocks and name != "flops"}
        for entry in record.curve
    ]
