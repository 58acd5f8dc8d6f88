"""The parts of the page as plain data for the template: every text is as
it stands, and escaped there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bench.cards import MethodCard
from bench.digests import digest

from ._plain import against_plain
from ._render_tracks import word_of
from ._text import (
    class_cells,
    flops,
    number,
    range_of,
    seeds_text,
    visits,
)
from ._track_facts import shown_rows

Row = Mapping[str, Any]
_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})(v\d+)?")


def slug_of(track: str) -> str:
    """Return the id of a track's panel."""
    return f"track-{track}" if re.fullmatch(r"[a-z0-9-]+", track) else f"track-{digest(track, 6)}"


def short(count: float | None) -> str:
    """Return a large count in three digits: 12.3 M."""
    if count is None:
        return "—"
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(count) >= size:
            return f"{count / size:.3g}{unit}"
    return f"{count:.3g}"


def _value(text: str, order: float | None, more: str = "") -> dict[str, Any]:
    return {"text": text, "order": 1e9 if order is None else order, "more": more}


def _verdict(found: Row | None) -> dict[str, Any]:
    if found is None:
        return {"word": "", "order": -9, "title": "", "shown": "", "more": ""}
    more = f"; {seeds_text(found['seeds_needed'])}" if found["seeds_needed"] else ""
    title = (
        f"{number(found['mean'], 3, '+')} [{number(found['low'], 3, '+')}, "
        f"{number(found['high'], 3, '+')}], adjusted p {found['p_holm']:.2g}{more}"
    )
    return {
        "word": found["verdict"],
        "shown": word_of(found),
        "order": found["mean"],
        "more": number(found["mean"], 3, "+"),
        "title": title,
    }


def track_rows(track: Row) -> list[dict[str, Any]]:
    """Return the rows of a track's board; those that never ran, or equal
    another in every run, are in the matrix alone.
    """
    rows = shown_rows(track)
    return [
        {
            "method": row["method"],
            "bold": row["leading"],
            "out": not row["place"],
            "place": _value(str(row["place"] or "—"), row["place"]),
            "range": _value(range_of(row), row["range"][0] if row["range"] else None),
            "score": _value(
                number(row["score"], 3),
                -1e9 if row["score"] is None else row["score"],
                f"[{number(row['low'], 3)}, {number(row['high'], 3)}]"
                if row["low"] is not None
                else "",
            ),
            "iqm": _value(
                number(row["iqm"][0], 3) if row["iqm"] else "—",
                row["iqm"][0] if row["iqm"] else -1e9,
            ),
            "p": _value(
                number(row["p_better"][0], 2) if row["p_better"] else "—",
                row["p_better"][0] if row["p_better"] else -1e9,
            ),
            "null": _verdict(row["vs_null"]),
            "first": _verdict(row["vs_first"]),
            "best_plain": _verdict(row["vs_plain"]),
            "runs": _value(
                f"{row['ok']}/{row['of']}",
                row["ok"],
                f"‡{row['imputed']}" if row["imputed"] else "",
            ),
            "flops": _value(flops(row["cost"]), row["cost"]["flops"]),
            "visits": _value(
                visits(row["cost"], row["cost"]["visits"], short(row["cost"]["visits"])),
                row["cost"]["visits"],
            ),
            "seconds": _value(number(row["cost"]["seconds"], 1), row["cost"]["seconds"]),
            "defaults": row["defaults"] or "—",
            "class": shown,
            "remarks": _remarks(row),
        }
        for row, shown in zip(rows, class_cells(rows) or [""] * len(rows), strict=True)
    ]


def _remarks(row: Row) -> str:
    said = ["plain baseline"] if row["plain"] else []
    said += [f"needs {', '.join(row['needs'])}"] if row["needs"] else []
    said += [f"{row['reference']} reference"] if row["reference"] else []
    said += ["stale"] if row["stale"] else []
    said += [row["why"]] if row["why"] else []
    return "; ".join(said)


def first_place(track: Row) -> str:
    """Name the first, and say how many can't be separated from it."""
    names = [row["method"] for row in track["rows"] if row["place"] == 1]
    more = sum(row["leading"] for row in track["rows"]) - len(names)
    return (
        ", ".join(names[:4])
        + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        + (f" (+ {more} not separable)" if more else "")
    )


def overview_row(track: Row | None, name: str, described: Row, held: bool) -> dict[str, Any]:
    """Return a track's row of the overview."""
    if track is None:
        nothing = {
            "first": "not run yet",
            "best": _value("—", None),
            "methods": 0,
            "share": 0,
            "runs": "0",
            "agree": "—",
        }
        return {
            "slug": slug_of(name) if held else "",
            "title": described["title"],
            "tasks": described["tasks"],
            **nothing,
        }
    cover, leader = track["coverage"], next((row for row in track["rows"] if row["place"]), None)
    best = (
        _value("—", None)
        if leader is None
        else _value(
            number(leader["score"], 3),
            leader["score"],
            f"[{number(leader['low'], 3)}, {number(leader['high'], 3)}]"
            if leader["low"] is not None
            else "",
        )
    )
    done = cover["ok"] + cover["imputed"]
    return {
        "slug": slug_of(name),
        "title": described["title"],
        "first": first_place(track) if leader else "no place yet",
        "best": best,
        "methods": cover["methods"],
        "tasks": len({cell["task"] for cell in track["cells"]}),
        "share": round(100 * done / cover["expected"]) if cover["expected"] else 0,
        "runs": f"{done} of {cover['expected']}",
        "agree": "—"
        if not track["agreement"]
        else "agree"
        if track["agreement"]["agree"]
        else "differ",
    }


def card_of(identity: str, card: MethodCard, board: Row, track: Row | None) -> dict[str, Any]:
    """Return a method's card, its claim beside what was measured."""
    row = (
        next((row for row in track["rows"] if row["method"] == card.name), None) if track else None
    )
    paper = _ARXIV.search(card.paper)
    facts = [
        ("Paper", card.paper, f"https://arxiv.org/abs/{paper[1]}" if paper else ""),
        (
            "Official code",
            {"ok": "read, and right", "flawed": "read, and flawed", "none": "not read"}[
                card.official_code
            ],
            "",
        ),
        ("Deviates", card.deviates or "nothing known", ""),
        ("Needs", ", ".join(card.needs), ""),
        ("Licence", card.licence, ""),
        ("Claim", card.claim, ""),
        ("Measured", _measured(row, board, track["best_plain"]) if row and track else "", ""),
        ("Plain", "a plain baseline: what anyone would try first" if card.plain else "", ""),
    ]
    return {"name": card.name, "title": card.title, "facts": [fact for fact in facts if fact[1]]}


def _measured(row: Row, board: Row, best_plain: str) -> str:
    if row["score"] is None:
        return "not measured yet"
    said = [
        f"score {number(row['score'], 3)}"
        + (
            f" [{number(row['low'], 3)}, {number(row['high'], 3)}]"
            if row["low"] is not None
            else ""
        )
    ]
    if row["vs_null"]:
        words = {
            "better": "better than the baseline",
            "worse": "worse than the baseline",
            "same": f"the baseline's within ±{board['suite']['delta']}",
            "undecided": "not separable from the baseline",
        }
        said.append(words[row["vs_null"]["verdict"]])
    said += filter(None, [against_plain(row, best_plain)])
    scores = [cell["score"] for cell in row["cells"].values() if cell["score"] is not None]
    said.append(
        f"above the baseline in {sum(score > 0 for score in scores)} of {len(scores)} variants"
    )
    return "; ".join(said)
