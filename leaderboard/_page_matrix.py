"""The grids of the page as plain data: coverage, scores by cell, each method against each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._page_links import slug
from ._text import number

Row = Mapping[str, Any]
MATRIX = 60
"""Most methods that are shown each against each."""
TINTS = 8
"""Shades of a score, from 0 to 1."""
_WORDS = {"missing": "…", "not_applicable": "—"}


DOTS = (
    ("full", "●", "all seeds"),
    ("part", "◐", "some"),
    ("fail", "✕", "failed"),
    ("gate", "◇", "missed a gate"),
    ("", "·", "not yet"),
    ("none", "–", "does not apply"),  # noqa: RUF001
)
"""State of a method in a cell -> its sign, and what that means."""


def coverage(track: Row) -> dict[str, Any]:
    """Return how many seeds of each method and cell are there, as signs."""
    signs = {state: sign for state, sign, _ in DOTS}

    def dot(cell: Row) -> dict[str, str]:
        if cell["word"] == "not_applicable":
            state = "none"
        elif cell["imputed"]:
            state = "gate" if cell["word"] == "gate" else "fail"
        elif cell["ok"] == cell["of"]:
            state = "full"
        else:
            state = "part" if cell["ok"] else ""
        said = f"{cell['ok']} of {cell['of']} seeds"
        said += f", {cell['imputed']} {cell['word']}" if cell["imputed"] else ""
        return {
            "css": state,
            "sign": signs[state],
            "title": "" if state in ("full", "none") else said,
        }

    rows = [
        {
            "method": row["method"],
            "cells": [dot(row["cells"][cell["cell"]]) for cell in track["cells"]],
        }
        for row in track["rows"]
    ]
    return {
        "id": f"coverage-{slug(track['track'])}",
        "title": track["title"],
        "heads": [f"{cell['task']} {cell['variant']}" for cell in track["cells"]],
        "rows": sorted(rows, key=lambda row: row["method"]),
        "ok": track["coverage"]["ok"],
        "expected": track["coverage"]["expected"],
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
        mark = "‡" if cell["imputed"] else "*" if cell["word"] == "missing" else ""
        mark += " †" if cell["below"] else ""
        tint = round(TINTS * min(1.0, max(0.0, cell["score"])))
        return {
            "word": "",
            "order": cell["score"],
            "tint": tint,
            "text": number(cell["score"], 2) + mark,
            "title": cell["below"],
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


def pair_verdict(track: Row, a: str, b: str) -> str:
    """Return the verdict on two methods with a place, as one reads of ``a``: better, worse, same or
    undecided.
    """
    held = track["pairs"]
    places = held["methods"].index(a), held["methods"].index(b)
    first, second = sorted(places)
    count = len(held["methods"])
    word: str = held["verdict"][first * (2 * count - first - 1) // 2 + second - first - 1]
    return word if first == places[0] else _TURNED.get(word, word)


def pairs(track: Row) -> dict[str, Any] | None:
    """Return the verdicts of the first placed methods, each against each,
    in the order of the board.
    """
    names = [row["method"] for row in track["rows"] if row["place"]]
    if len(names) < 2:
        return None
    shown = names[:MATRIX]

    def cell(a: str, b: str) -> dict[str, str]:
        if a == b:
            return {"sign": "", "css": ""}
        sign, css = _SIGNS[pair_verdict(track, a, b)]
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
