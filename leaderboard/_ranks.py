"""Comparing the rows of a table: against the baseline, among each other, and why a row has no
place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._class_notes import other_class_text
from ._rows import Entrant, differing, figure
from ._statistics import Paired, holm, paired

SIGNS = {"max": 1, "min": -1}
"""Direction of a metric -> the sign that makes more better; no direction, no sign."""
NO_DIRECTION = "The primary metric has no direction: no places."
ONE_SEED = "One seed: no places."
EQUAL = "equal to"
"""How the reason of a row begins that equals another in every run: that one stands for both."""

Row = dict[str, Any]


def compare_with_low(members: Sequence[Entrant], rows: Sequence[Row], direction: str) -> None:
    """Fill ``vs_low`` of every row: the paired difference to the low
    reference, positive where the row is better.
    """
    low = _low(members, rows)
    if low is None:
        return
    found = [
        None if member is low else paired(member.values, low.values, SIGNS.get(direction, 1))
        for member in members
    ]
    adjusted = holm([result.p if result else None for result in found])
    for row, result, p_holm in zip(rows, found, adjusted, strict=True):
        row["vs_low"] = difference_of(result, p_holm) if result else None


def _low(members: Sequence[Entrant], rows: Sequence[Row]) -> Entrant | None:
    """Return the low reference: at its defaults if there is one, the best
    covered, the first by label.
    """
    lows = [
        (row["custom"], -row["n"], position)
        for position, row in enumerate(rows)
        if row["reference"] == "low" and row["n"]
    ]
    return members[min(lows)[2]] if lows else None


def difference_of(result: Paired, p_holm: float | None) -> dict[str, Any]:
    """Write a paired difference as plain data."""
    return {
        "mean": figure(result.mean),
        "low": figure(result.low),
        "high": figure(result.high),
        "p": figure(result.p),
        "p_holm": p_holm,
        "n": result.n,
    }


def place(members: Sequence[Entrant], rows: Sequence[Row], direction: str) -> list[str]:
    """Fill ``place``, ``range``, ``leading``, ``provisional`` and ``why`` of every row; see
    :func:`._standing.standing`.

    Returns:
        Notes on the table.
    """
    placed = _placeable(members, rows)
    if note := _no_places([rows[position] for position in placed], direction):
        for position in placed:
            rows[position]["why"] = note
        return [note]
    placed = _once(members, rows, placed)
    if placed:
        _stand(members, rows, placed, SIGNS[direction])
    return []


def _stand(
    members: Sequence[Entrant], rows: Sequence[Row], placed: Sequence[int], sign: int
) -> None:
    import numpy as np  # here, because a board that is remembered needs no arrays

    from ._family import family
    from ._standing import standing

    figures = np.array([list(members[position].values.values()) for position in placed])
    with np.errstate(all="ignore"):  # figures may overflow: then nothing is told apart
        found = family(figures[:, None, :], 0.0, sign)
    stands = standing(
        found,
        sign * np.array([rows[position]["mean"] for position in placed]),
        np.zeros(len(placed), bool),
    )
    for position, (own, low, high, leading) in zip(placed, stands.rows(), strict=True):
        rows[position] |= {"place": own, "range": [low, high], "leading": leading}


def _once(members: Sequence[Entrant], rows: Sequence[Row], placed: Sequence[int]) -> list[int]:
    """Return the positions without the rows that equal an earlier one at
    every seed; those get their reason.
    """
    held: dict[tuple[float, ...], int] = {}
    for position in sorted(
        placed, key=lambda position: (rows[position]["reference"] != "low", position)
    ):
        twin = held.setdefault(tuple(members[position].values.values()), position)
        if twin != position:
            rows[position]["why"] = f"{EQUAL} {rows[twin]['method']} in every run"
    return sorted(held.values())


def _placeable(members: Sequence[Entrant], rows: Sequence[Row]) -> list[int]:
    """Return the positions of the rows that may have a place, which share
    all seeds; the others get their reason.
    """
    for member, row in zip(members, rows, strict=True):
        row["why"] = _obstacle(member, row)
    covered = [set(member.values) for member in members]
    eligible = [seeds for seeds, row in zip(covered, rows, strict=True) if not row["why"]]
    wanted: set[int] = set().union(*(eligible or covered))
    for member, seeds, row in zip(members, covered, rows, strict=True):
        row["provisional"] = bool(seeds) and bool(wanted - seeds)
        if row["provisional"] and not row["why"]:
            row["why"] = f"{len(seeds & wanted)} of {len(wanted)} seeds"
        if row["provisional"] and (
            left := other_class_text([record.seed for record in member.aside])
        ):
            row["why"] = f"{row['why']}; {left}"
    return [position for position, row in enumerate(rows) if not row["why"]]


def _no_places(placed: Sequence[Row], direction: str) -> str:
    """Say why the table as a whole has no places; empty: it has, or no row may have one anyway."""
    if not placed:
        return ""
    if direction not in SIGNS:
        return NO_DIRECTION
    return ONE_SEED if placed[0]["n"] == 1 else ""


def _obstacle(member: Entrant, row: Row) -> str:
    """Say what keeps a row from a place, whatever the other rows are; empty: nothing."""
    if not member.records:
        return other_class_text([record.seed for record in member.aside])
    if not member.ok:
        return "no run succeeded"
    if row["peeks"]:
        return "it sees the hidden part"
    if row["tuned"] and row["custom"]:
        return (
            f"its parameters were chosen among {row['tuned']['trials']} settings by "
            f"{row['tuned']['metric']} on held-out training data"
        )
    if row["custom"]:
        return "a custom variant or parameters other than the defaults"
    for record in member.ok:
        if record.not_rankable:
            return record.not_rankable
        for gate, passed in sorted(record.gates.items()):
            if not passed:
                return f"seed {record.seed} fails the gate {gate}"
    if row["mixed"]:
        return (
            f"its seeds were computed with different {', '.join(differing(member.ok, code=True))}"
        )
    return "" if row["mean"] is not None else "the primary metric has no value"


def in_order(rows: Sequence[Row], direction: str) -> list[Row]:
    """Return the placed rows by their mean with those that equal them, then those that only the
    table keeps from a place, the others, and the failed ones.
    """

    def order(row: Row) -> tuple[Any, ...]:
        standing = (
            3
            if row["mean"] is None
            else 0
            if row["place"] or row["why"].startswith(EQUAL)
            else 1
            if row["why"] in (NO_DIRECTION, ONE_SEED)
            else 2
        )
        merit = -SIGNS.get(direction, 0) * row["mean"] if row["mean"] is not None else 0.0
        return (standing, merit, not row["place"], row["method"], row["record_ids"])

    return sorted(rows, key=order)
