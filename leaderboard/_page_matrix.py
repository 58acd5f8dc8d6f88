"""The grids of the page as plain data: coverage, scores by cell, each method against each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._page_parts import slug_of
from ._text import number

Row = Mapping[str, Any]
MATRIX = 60
"""Most methods that are shown each against each."""
_WORDS = {"missing": "…", "not_applicable": "—"}


def dots(track: Row) -> dict[str, Any]:
    """Return the coverage of a track: a dot a method and cell."""

    def dot(cell: Row, name: str) -> tuple[str, str]:
        place = name.split("/")
        where = f"{place[1]} {place[3]}"
        if cell["word"] == "not_applicable":
            return "none", f"{where}: does not apply"
        state = (
            ("gate" if cell["word"] == "gate" else "fail")
            if cell["imputed"]
            else "full"
            if cell["ok"] == cell["of"]
            else "part"
            if cell["ok"]
            else ""
        )
        return state, f"{where}: {cell['ok']} of {cell['of']} seeds" + (
            f", {cell['imputed']} {cell['word']}" if cell["imputed"] else ""
        )

    rows = [
        {
            "method": row["method"],
            "cells": [dot(row["cells"][cell["cell"]], cell["cell"]) for cell in track["cells"]],
        }
        for row in track["rows"]
    ]
    return {
        "slug": slug_of(track["track"]),
        "title": track["title"],
        "rows": sorted(rows, key=lambda row: row["method"]),
    }


def matrix(track: Row) -> dict[str, Any]:
    """Return the scores of every method in every cell, and the word where there is none."""

    def shown(cell: Row, state: str) -> dict[str, Any]:
        if cell["word"] and cell["score"] is None:
            return {
                "word": _WORDS.get(cell["word"], cell["word"]),
                "bad": cell["word"] not in _WORDS,
            }
        if cell["score"] is None:
            return {"word": state if state != "scored" else "…", "bad": False}
        mark = ("‡" if cell["imputed"] else "*" if cell["word"] == "missing" else "") + (
            f" ({cell['below']})" if cell["below"] else ""
        )
        tint = round(0.42 * min(1.0, max(0.0, cell["score"])), 2)
        return {
            "word": "",
            "order": cell["score"],
            "tint": tint,
            "text": number(cell["score"], 2) + mark,
        }

    heads = [
        {
            "task": cell["task"],
            "variant": cell["variant"],
            "title": f"{cell['primary']}, {cell['state']}",
        }
        for cell in track["cells"]
    ]
    rows = [
        {
            "method": row["method"],
            "cells": [shown(row["cells"][cell["cell"]], cell["state"]) for cell in track["cells"]],
        }
        for row in track["rows"]
    ]
    return {"heads": heads, "rows": rows}


_SIGNS = {
    "better": ("▲", "better"),
    "worse": ("▼", "worse"),
    "same": ("≈", ""),
    "undecided": ("·", ""),
}
_TURNED = {"better": "worse", "worse": "better"}


def pairs(track: Row) -> dict[str, Any] | None:
    """Return the verdicts of the first placed methods, each against each,
    in the order of the board.
    """
    names = [row["method"] for row in track["rows"] if row["place"]]
    if len(names) < 2:
        return None
    held, shown = track["pairs"], names[:MATRIX]
    place, count = {name: place for place, name in enumerate(held["methods"])}, len(names)

    def cell(a: str, b: str) -> dict[str, str]:
        if a == b:
            return {"sign": "", "css": ""}
        first, second = sorted((place[a], place[b]))
        word = held["verdict"][first * (2 * count - first - 1) // 2 + second - first - 1]
        sign, css = _SIGNS[word if first == place[a] else _TURNED.get(word, word)]
        return {"sign": sign, "css": css}

    rows = [{"method": a, "cells": [cell(a, b) for b in shown]} for a in shown]
    more = (
        f" The first {MATRIX} of {len(names)}; leaderboard.json holds all pairs."
        if len(names) > MATRIX
        else ""
    )
    return {
        "names": shown,
        "rows": rows,
        "test": (
            f"{track['test'][:1].upper()}{track['test'][1:]}, adjusted by Holm over all "
            f"pairs.{more}"
        ),
    }
