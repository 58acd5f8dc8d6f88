"""The overview: of every track what is measured, who leads, by how much, and how sure that is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bench.cards import FIELDS

from ._page_links import track_page
from ._page_matrix import pair_verdict
from ._page_plot import plot_of
from ._page_raw import Raw
from ._plain import WORDS
from ._text import counted, number, range_of

Row = Mapping[str, Any]
FIRST = 5
"""How many rows the small plot of a track shows."""
OTHER = "other"
"""The field of a track without a card."""
_CLAUSE = re.compile("[:;] ")
_DIRECTIONS = {"max": "higher is better", "min": "lower is better"}


def fields_of(names: Sequence[str], board: Row, cards: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the fields of some tracks with these tracks, in the order of ``bench.cards.FIELDS``
    and of ``names``.
    """
    found: dict[str, list[dict[str, str]]] = {}
    for name in names:
        field = cards[name].field if name in cards else OTHER
        found.setdefault(field, []).append(
            {"name": name, "title": title_of(name, board, cards), "page": track_page(name)}
        )
    order = {field: place for place, field in enumerate(FIELDS)}
    ranked = sorted(found, key=lambda field: (order.get(field, len(order)), field == OTHER, field))
    return [{"field": field, "tracks": found[field]} for field in ranked]


def title_of(name: str, board: Row, cards: Mapping[str, Any]) -> str:
    """Return what a track is called."""
    if name in board["suite"]["tracks"]:
        return str(board["suite"]["tracks"][name]["title"])
    return str(cards[name].title) if name in cards else name


def measured(raw: Sequence[Raw], whole: bool = True) -> list[str]:
    """Say in which metrics a track is judged; in short, without what a title explains."""
    return [
        f"{title if whole else _CLAUSE.split(title)[0]} "
        f"({', '.join(filter(None, [one.unit, better(one)]))})"
        for one in raw
        for title in [one.title or one.name]
    ]


def better(one: Raw) -> str:
    """Return which way a metric points, in words."""
    return _DIRECTIONS.get(one.direction, "")


def standing_of(track: Row, raw: Sequence[Raw]) -> dict[str, Any] | None:
    """Return who leads a track, by how much in the metric's unit, and how sure that is; None: no
    method has a place. The first by the score leads, an upper reference aside.
    """
    placed = [row for row in track["rows"] if row["place"]]
    if not placed:
        return None
    entrants = entrants_of(track)
    leader = entrants[0]
    shown = plot_of(placed[:FIRST])
    assert shown is not None, "a row with a place has a score"
    return {
        "leader": leader["method"],
        "above": [row["method"] for row in placed[: placed.index(leader)]],
        "amounts": [
            (one.value(leader["method"]), *one.sentence(leader["method"]))
            for one in raw
            if leader["method"] in one.reached
        ],
        "sure": _sure(track, leader, entrants),
        "score": number(leader["score"], 2),
        "plot": shown,
        "rows": [{"method": row["method"], "bold": row["leading"]} for row in placed[:FIRST]],
        "more": len(placed) - len(placed[:FIRST]),
    }


def entrants_of(track: Row) -> list[Row]:
    """Return the placed rows of a track without its upper reference, unless it is alone."""
    placed = [row for row in track["rows"] if row["place"]]
    return [row for row in placed if row["reference"] != "high"] or placed


def _sure(track: Row, leader: Row, entrants: Sequence[Row]) -> list[tuple[str, str]]:
    """Return sentences on how sure the lead is, each with the verdict that colours it."""
    said = [_lead(track, leader, entrants)] if len(entrants) > 1 else []
    if leader["vs_null"]:
        said.append(_against(leader["vs_null"], "the baseline"))
    elif leader["reference"] == "low":
        said.append(("is the baseline itself", "undecided"))
    if leader["vs_plain"]:
        said.append(_against(leader["vs_plain"], f"the best plain, {track['best_plain']}"))
    elif leader["plain"]:
        said.append(("is a plain baseline itself", "undecided"))
    return [*said, (f"true rank {range_of(leader)}", "undecided")]


def _lead(track: Row, leader: Row, entrants: Sequence[Row]) -> tuple[str, str]:
    """Say who can't be separated from the leader: those after it, up to the first that can."""
    tied, parted = 0, False
    for row in entrants[1:]:
        parted = pair_verdict(track, leader["method"], row["method"]) == "better"
        if parted:
            break
        tied += not row["imputed"]
    if tied or not parted:
        return f"not separable from {counted(tied, 'other')}", "undecided"
    return "better than the next", "better"


def _against(found: Row, whom: str) -> tuple[str, str]:
    """Return a verdict in words; an undecided one may lean to a side."""
    if found["leans"]:
        side = "better" if found["leans"] == "+" else "worse"
        return f"leans {side} than {whom}, undecided", "undecided"
    return f"{WORDS[found['verdict']]} {whom}", found["verdict"]
