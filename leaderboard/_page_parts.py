"""The parts of the page as plain data for the template: every text is as
it stands, and escaped there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ._page_links import Link, method_page, paper_links, slug
from ._page_raw import Raw
from ._page_reading import HELP
from ._render_tables import ARROWS
from ._render_tracks import VERDICTS
from ._text import class_cells, flops, number, range_of, seeds_text, visits
from ._track_facts import shown_rows
from ._unaided import unaided_cells

Row = Mapping[str, Any]


class Column(NamedTuple):
    """A column of a table: its key in rows and links, its head, and what it shows."""

    key: str
    head: str
    help: str
    numeric: bool = True
    more: bool = False
    """True: shown when all columns are asked for."""


class Cell(NamedTuple):
    """A cell of a table; ``order`` is the number that it is sorted by where its text does not begin
    with that, ``css`` the class of its text.
    """

    text: str
    order: float | None = None
    more: str = ""
    css: str = ""
    title: str = ""
    links: Sequence[Link] = ()


def column(
    key: str, head: str, *, about: str = "", numeric: bool = True, more: bool = False
) -> Any:
    """Return a column with its help."""
    return Column(key, head, HELP[about or key], numeric, more)


def short(count: float | None) -> str:
    """Return a large count in three digits: 12.3 M."""
    if count is None:
        return "—"
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(count) >= size:
            return f"{count / size:.3g}{unit}"
    return f"{count:.3g}"


def verdict(found: Row | None) -> Cell:
    """Return the cell of a verdict: its word, the difference, and how sure that is."""
    if found is None:
        return Cell("—")
    more = f"; {seeds_text(found['seeds_needed'])}" if found["seeds_needed"] else ""
    title = (
        f"{number(found['mean'], 3, '+')} [{number(found['low'], 3, '+')}, "
        f"{number(found['high'], 3, '+')}], adjusted p {found['p_holm']:.2g}{more}"
    )
    shown = number(found["mean"], 2, "+")
    word = "leans" if found["leans"] else VERDICTS[found["verdict"]]  # the sign says where to
    return Cell(word, float(f"{found['mean']:.4g}"), shown, found["verdict"], title)


def score(row: Row) -> Cell:
    """Return the cell of a score with its interval."""
    if row["score"] is None:
        return Cell("—")
    ends = f"[{number(row['low'], 2)}, {number(row['high'], 2)}]" if row["low"] is not None else ""
    return Cell(number(row["score"], 2), more=ends)


def board_columns(track: Row, raw: Sequence[Raw], papers: bool) -> list[Column]:
    """Return the columns of a track's board: method, score and place come first."""
    best = track["best_plain"]
    reached = [
        part
        for place, one in enumerate(raw)
        for part in (
            column(f"raw{place}", one.name + ARROWS.get(one.direction, ""), about="raw"),
            column(f"gain{place}", f"vs {one.baseline or 'baseline'}", about="gain"),
        )
    ]
    return [
        column("score", "Score [95 %]"),
        column("place", "#"),
        column("range", "Range"),
        *([column("unaided", "# w/o needs")] if unaided_cells(shown_rows(track)) else []),
        *reached,
        column("null", "Verdict", numeric=False),
        *([column("plain", "vs best plain", numeric=False)] if best else []),
        *([column("paper", "Paper", numeric=False)] if papers else []),
        column("first", "vs first", numeric=False, more=True),
        column("iqm", "IQM", more=True),
        column("p", "P(> baseline)", more=True),
        column("runs", "Runs", more=True),
        column("flops", "GFLOP", more=True),
        column("visits", "Visits", more=True),
        column("seconds", "Solve s", more=True),
        column("defaults", "Defaults from", numeric=False, more=True),
        *(
            [column("class", "Class", numeric=False, more=True)]
            if class_cells(shown_rows(track))
            else []
        ),
        column("remarks", "Remarks", numeric=False, more=True),
    ]


def board_rows(
    track: Row, raw: Sequence[Raw], cards: Mapping[str, Any], pages: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the rows of a track's board; those that never ran, or equal another in every run, are
    in the matrix alone.

    Args:
        track: its board.
        raw: what rows reached in metrics.
        cards: method -> card.
        pages: method -> the file of its page.
    """
    rows = shown_rows(track)
    return [
        {
            "method": row["method"],
            "id": f"row-{slug(row['method'])}",
            "page": pages.get(row["method"], ""),
            "bold": row["leading"],
            "plain": row["plain"],
            "out": not row["place"],
            "cells": _cells(row, raw, cards.get(row["method"])) | {"class": Cell(shown)},
        }
        for row, shown in zip(rows, class_cells(rows) or [""] * len(rows), strict=True)
    ]


def _cells(row: Row, raw: Sequence[Raw], card: Any) -> dict[str, Cell]:
    cost, name = row["cost"], row["method"]
    failed = f"‡{row['imputed']}" if row["imputed"] else ""
    reached = {}
    for place, one in enumerate(raw):
        gain, ends = one.gain(name)
        shown = number(one.reached.get(name), one.digits)
        reached[f"raw{place}"] = Cell(shown, more="‡" if row["imputed"] else "")
        reached[f"gain{place}"] = Cell(gain or "—", more=ends)
    return {
        "score": score(row),
        "place": Cell(str(row["place"] or "—")),
        "range": Cell(range_of(row)),
        "unaided": Cell(str(row.get("place_unaided") or "—")),
        **reached,
        "null": verdict(row["vs_null"]),
        "plain": verdict(row["vs_plain"]),
        "paper": Cell("", links=paper_links([card] if card else [])),
        "first": verdict(row["vs_first"]),
        "iqm": Cell(number(row["iqm"][0] if row["iqm"] else None, 3)),
        "p": Cell(number(row["p_better"][0] if row["p_better"] else None, 2)),
        "runs": Cell(f"{row['ok']}/{row['of']}", more=failed),
        "flops": Cell(flops(cost), cost["flops"]),
        "visits": Cell(visits(cost, cost["visits"], short(cost["visits"])), cost["visits"]),
        "seconds": Cell(number(cost["seconds"], 1)),
        "defaults": Cell(row["defaults"] or "—"),
        "remarks": Cell(remarks(row)),
    }


def remarks(row: Row) -> str:
    """Say what is special about a row of a track's board."""
    said = ["plain baseline"] if row["plain"] else []
    said += [f"needs {', '.join(row['needs'])}"] if row["needs"] else []
    said += [f"{row['reference']} reference"] if row["reference"] else []
    said += ["stale"] if row["stale"] else []
    said += row["warnings"]
    said += [row["why"]] if row["why"] else []
    return "; ".join(said)


def method_pages(board: Row, cards: Mapping[str, Any]) -> dict[str, str]:
    """Return method -> the file of its page: of those that a track shows, and of those with a card
    in such a track. References that see the hidden part have none.
    """
    held = {table["track"] for table in board["tables"]}
    names = {identity.partition("/")[2] for identity in cards if identity.partition("/")[0] in held}
    for track in board["tracks"]:
        names |= {row["method"] for row in shown_rows(track) if not row["peeks"]}
    return {name: method_page(name) for name in sorted(names)}
