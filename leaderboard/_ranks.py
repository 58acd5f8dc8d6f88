"""Comparing the rows of a table: against the null, among each other, and why a row has no rank."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from ._rows import Entrant, differing, figure
from ._statistics import ALPHA, Paired, holm, paired

SIGNS = {"max": 1, "min": -1}
"""Direction of a metric -> the sign that makes more better; no direction, no sign."""
NO_DIRECTION = "The primary metric has no direction: no ranks."
ONE_SEED = "One seed: no ranks."
NO_PAIRS = "No two rows share two seeds: no ranks."

Row = dict[str, Any]


def compare_with_low(members: Sequence[Entrant], rows: Sequence[Row], direction: str) -> None:
    """Fill ``vs_low`` of every row: the paired difference to the low reference, positive where the row is better."""
    low = _low(members, rows)
    if low is None:
        return
    found = [None if member is low else paired(member.values, low.values, SIGNS.get(direction, 1)) for member in members]
    adjusted = holm([result.p if result else None for result in found])
    for row, result, p_holm in zip(rows, found, adjusted, strict=True):
        row["vs_low"] = difference_of(result, p_holm) if result else None


def _low(members: Sequence[Entrant], rows: Sequence[Row]) -> Entrant | None:
    """Return the low reference: at its defaults if there is one, the best covered, the first by label."""
    lows = [(row["custom"], -row["n"], position) for position, row in enumerate(rows) if row["reference"] == "low" and row["n"]]
    return members[min(lows)[2]] if lows else None


def difference_of(result: Paired, p_holm: float | None) -> dict[str, Any]:
    """Write a paired difference as plain data."""
    return {"mean": figure(result.mean), "low": figure(result.low), "high": figure(result.high), "p": figure(result.p), "p_holm": p_holm, "n": result.n}


def rank(members: Sequence[Entrant], rows: Sequence[Row], direction: str) -> list[str]:
    """Fill ``rank``, ``provisional`` and ``why`` of every row.

    A rank is 1 + the number of ranked rows that are better: a paired p below 0.05 after Holm's adjustment over all
    pairs of ranked rows. So rows that can't be told apart share a rank.

    Returns:
        Notes on the table.
    """
    ranked = _rankable(members, rows)
    pairs = list(combinations(ranked, 2))
    results = [paired(members[i].values, members[j].values, SIGNS.get(direction, 1)) for i, j in pairs]
    adjusted = holm([result.p if result else None for result in results])
    if note := _no_ranks([rows[position] for position in ranked], adjusted, direction):
        for position in ranked:
            rows[position]["why"] = note
        return [note]
    for position in ranked:
        rows[position]["rank"] = 1
    for (i, j), result, p in zip(pairs, results, adjusted, strict=True):
        if result and p is not None and p < ALPHA:
            rows[j if result.mean > 0 else i]["rank"] += 1
    return ["Some rows share fewer than two seeds and could not be compared."] if None in adjusted else []


def _rankable(members: Sequence[Entrant], rows: Sequence[Row]) -> list[int]:
    """Return the positions of the rows that may have a rank; the others get their reason."""
    for member, row in zip(members, rows, strict=True):
        row["why"] = _obstacle(member, row)
    covered = [{record.seed for record in member.ok} for member in members]
    eligible = [seeds for seeds, row in zip(covered, rows, strict=True) if not row["why"]]
    wanted: set[int] = set().union(*(eligible or covered))
    for seeds, row in zip(covered, rows, strict=True):
        row["provisional"] = bool(seeds) and bool(wanted - seeds)
        if row["provisional"] and not row["why"]:
            row["why"] = f"{len(seeds & wanted)} of {len(wanted)} seeds"
    return [position for position, row in enumerate(rows) if not row["why"]]


def _no_ranks(ranked: Sequence[Row], adjusted: Sequence[float | None], direction: str) -> str:
    """Say why the table as a whole has no ranks; empty: it has, or no row may have one anyway."""
    if not ranked:
        return ""
    if direction not in SIGNS:
        return NO_DIRECTION
    if ranked[0]["n"] == 1:
        return ONE_SEED
    return NO_PAIRS if adjusted and all(p is None for p in adjusted) else ""


def _obstacle(member: Entrant, row: Row) -> str:
    """Say what keeps a row from a rank, whatever the other rows are; empty: nothing."""
    if not member.ok:
        return "no run succeeded"
    if row["peeks"]:
        return "it sees the hidden part"
    if row["tuned"]:
        return f"its parameters were chosen among {row['tuned']['trials']} settings by {row['tuned']['metric']} on held-out training data"
    if row["custom"]:
        return "a custom variant or parameters other than the defaults"
    for record in member.ok:
        if record.not_rankable:
            return record.not_rankable
        for gate, passed in sorted(record.gates.items()):
            if not passed:
                return f"seed {record.seed} fails the gate {gate}"
    if row["mixed"]:
        return f"its seeds were computed with different {', '.join(differing(member.ok, code=True))}"
    return "" if row["mean"] is not None else "the primary metric has no value"


def in_order(rows: Sequence[Row], direction: str) -> list[Row]:
    """Return the ranked rows by their mean, then those that only the table keeps from a rank, the others, and the failed ones."""
    whole_table = (NO_DIRECTION, ONE_SEED, NO_PAIRS)

    def place(row: Row) -> tuple[Any, ...]:
        standing = 3 if row["mean"] is None else 0 if row["rank"] else 1 if row["why"] in whole_table else 2
        merit = -SIGNS.get(direction, 0) * row["mean"] if row["mean"] is not None else 0.0
        return (standing, merit, row["method"], row["record_ids"])

    return sorted(rows, key=place)
