"""The page of one method: its card, and where it stands on every track that it serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.cards import MethodCard

from ._page_links import Link, file_link, linked, track_page
from ._page_overview import title_of
from ._page_parts import score, verdict
from ._page_raw import Raw
from ._plain import WORDS
from ._render_tables import ARROWS, decimals, difference, interval
from ._text import flops, number, range_of, seconds

Row = Mapping[str, Any]
CELLS, TEXT = 60, 5000
"""Most rows of the table by variant, and most bytes of the longest text of a card. The files beside
the board hold the rest, and ``bench show`` prints whole cards.
"""
_CODE = {"ok": "read, and right", "flawed": "read, and flawed", "none": "not read"}


def method_view(
    name: str,
    board: Mapping[str, Any],
    options: Mapping[str, Any],
    raw: Mapping[str, Sequence[Raw]],
    most: int = CELLS,
) -> dict[str, Any]:
    """Return the page of the methods of a name.

    Args:
        name: of the method. Methods of several tracks may share it.
        board: the whole board.
        options: see :func:`.board.bench_publish`.
        raw: track -> what its rows reached in metrics.
        most: rows of the table by variant.
    """
    cards: dict[str, MethodCard] = {
        identity.partition("/")[0]: card
        for identity, card in sorted(options.get("cards", {}).items())
        if identity.partition("/")[2] == name
    }
    tables = _tables(name, board)
    return {
        "name": name,
        "title": next((cut(card.title, 300) for card in cards.values()), ""),
        "cards": _cards(name, cards, tables, board, options),
        "tracks": [
            _standing(track, row, raw.get(track["track"], ()))
            for track in board["tracks"]
            for row in track["rows"]
            if row["method"] == name
        ][:CELLS],
        "cells": tables[:most],
        "more": max(0, len(tables) - most),
    }


def cut(text: str, most: int = TEXT) -> str:
    """Return a text of a card, shortened where it would take more bytes of a page."""
    spent = 0
    for place, character in enumerate(text[: most + 1]):
        spent += 5 if character in "<>&'\"" else len(character.encode("utf-8", "replace"))
        if spent > most:
            return f"{text[:place]} …"
    return text


def _cards(
    name: str,
    cards: Mapping[str, MethodCard],
    tables: Sequence[Row],
    board: Row,
    options: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Return each different card with the tracks that it serves here."""
    groups: list[tuple[MethodCard, list[str]]] = []
    for track, card in cards.items():
        mine = next((tracks for one, tracks in groups if one == card), None)
        if mine is None:
            groups.append((card, [track]))
        else:
            mine.append(track)
    titles = {track: title_of(track, board, options.get("tracks", {})) for track in cards}
    share = TEXT // max(1, len(groups))
    return [
        {
            "title": cut(card.title, 300),
            "tracks": cut(", ".join(titles[track] for track in tracks), 1000),
            "facts": _facts(
                card,
                share,
                options.get("sources", {}).get(f"{tracks[0]}/{name}", ""),
                next((one["params"] for one in tables if one["track"] in tracks), ""),
            ),
            "bibtex": cut(card.bibtex, share // 2).splitlines(),
        }
        for card, tracks in groups[:8]
    ]


def _facts(card: MethodCard, share: int, source: str, params: str) -> list[tuple[str, list[Link]]]:
    """Return what a card says, each with its links; a text has at most ``share`` characters."""
    facts = [
        ("Paper", linked(cut(card.paper, 300))),
        ("Official code", [Link(_CODE[card.official_code])]),
        ("Our code", [file_link(source, source)] if source else []),
        ("Claim", [Link(cut(card.claim, share // 3))]),
        ("Deviates", [Link(cut(card.deviates, share) or "nothing known")]),
        ("Defaults from", [Link(defaults(card))]),
        ("Parameters", [Link(cut(params, 800))]),
        ("Tuned over", [Link(cut(_space(card), 800))]),
        ("Needs", [Link(cut(", ".join(card.needs), 300))]),
        ("Kind", [Link("a plain baseline: what anyone would try first")] if card.plain else []),
        ("Licence", [Link(cut(card.licence, 300))]),
    ]
    return [(term, links) for term, links in facts if any(link.text for link in links)]


def defaults(card: MethodCard) -> str:
    """Say where a method's default parameters come from."""
    if card.defaults_from == "paper":
        return "the paper, or its authors' code"
    if card.defaults_from != "here":
        return "not stated"
    if card.trials is None:
        return "chosen for this benchmark; nobody counted the settings tried"
    if card.trials == 0:
        return "chosen for this benchmark, without a search"
    return f"chosen for this benchmark among {card.trials} settings"


def _space(card: MethodCard) -> str:
    return "; ".join(
        f"{name} in {', '.join(map(str, values))}" for name, values in sorted(card.tuning.items())
    )


def _standing(track: Row, row: Row, raw: Sequence[Raw]) -> dict[str, Any]:
    """Return a row of the table over tracks."""
    name = row["method"]
    return {
        "title": track["title"],
        "page": f"{track_page(track['track'])}",
        "place": str(row["place"] or "—"),
        "of": sum(bool(one["place"]) for one in track["rows"]),
        "range": range_of(row),
        "score": score(row),
        "raw": [
            f"{one.name}{ARROWS.get(one.direction, '')} {one.value(name)}"
            for one in raw[:3]
            if name in one.reached
        ],
        "gains": [" ".join(one.gain(name)) for one in raw[:3] if name in one.gained],
        "null": verdict(row["vs_null"]),
        "plain": f"{WORDS[row['vs_plain']['verdict']]} {track['best_plain']}"
        if row["vs_plain"]
        else "",
        "why": cut(row["why"], 300),
        "above": _above(row),
    }


def _above(row: Row) -> str:
    scores = [cell["score"] for cell in row["cells"].values() if cell["score"] is not None]
    above = sum(score > 0 for score in scores)
    return f"{above} of {len(scores)}" if scores else "—"


def _tables(name: str, board: Row) -> list[dict[str, Any]]:
    """Return what the method reached in every table, at its default parameters, in the metric's
    unit.
    """
    found = []
    for table in board["tables"]:
        row = next(
            (one for one in table["rows"] if one["method"] == name and not one["custom"]), None
        )
        if row is None or table["custom"]:
            continue
        judged = table["primary"]
        digits = decimals((one["mean"] for one in table["rows"]), judged["unit"])
        found.append(
            {
                "track": table["track"],
                "page": track_page(table["track"]),
                "where": f"{table['task']} {table['variant']}"
                + ("" if table["preset"] == "default" else f" ({table['preset']})"),
                "metric": f"{judged['name'] or 'value'}{ARROWS.get(judged['direction'], '')}",
                "mean": number(row["mean"], digits),
                "interval": interval(row, digits),
                "gain": difference(row["vs_low"], digits) if row["vs_low"] else "—",
                "place": str(row["place"] or "—"),
                "seeds": str(row["n"]),
                "seconds": number(seconds(row["cost"], table["device"]), 2),
                "flops": flops(row["cost"]),
                "params": ", ".join(f"{key}={value}" for key, value in row["params"].items()),
            }
        )
    return found
