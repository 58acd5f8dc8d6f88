"""The parts of the page as plain data for the template: every text is as
it stands, and escaped there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bench.cards import MethodCard
from bench.digests import digest
from bench.runs.kernels import in_words
from bench.runs.record import Record
from bench.runs.spec import RunSpec

from ._plain import against_plain
from ._ranks import EQUAL
from ._render import ARROWS, decimals, interval
from ._render_tracks import shown_rows, word_of
from ._text import (
    class_cells,
    flops,
    number,
    plain,
    range_of,
    seconds,
    seeds_said,
    test_set_said,
    visits,
)

Row = Mapping[str, Any]
FAILURES, HEAD = 40, 400
"""Most failures that a track shows, and most characters of a reason."""
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
    more = f"; {seeds_said(found['seeds_needed'])}" if found["seeds_needed"] else ""
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


def table_rows(table: Row) -> dict[str, Any]:
    """Return a table of one variant, in the metric's unit."""
    rows, unit = table["rows"], table["primary"]["unit"]
    several = bool(class_cells(rows))
    digits = decimals((row["mean"] for row in rows), unit)

    def cells(row: Row) -> list[tuple[str, float | None]]:
        visited = (
            None
            if row["cost"]["forward"] is None
            else row["cost"]["forward"] + (row["cost"]["backward"] or 0)
        )
        difference = row["vs_low"]
        return [
            (str(row["place"] or "—"), row["place"] or 999),
            (range_of(row), row["range"][0] if row["range"] else 999),
            (number(row["mean"], digits), row["mean"]),
            (interval(row, digits), row["low"]),
            (str(row["n"]), None),
            (
                number(difference["mean"], digits, "+") if difference else "—",
                difference["mean"] if difference else None,
            ),
            (
                number(seconds(row["cost"], table["device"]), 2),
                seconds(row["cost"], table["device"]),
            ),
            (flops(row["cost"]), row["cost"]["flops"]),
            (visits(row["cost"], visited, short(visited)), visited),
        ]

    def remarks(row: Row) -> str:
        failed = ", ".join(
            f"{count} {status}" for status, count in row["statuses"].items() if status != "ok"
        )
        marks = [
            "plain baseline" if row["plain"] else "",
            failed,
            "sees the hidden part" if row["peeks"] else "",
            "stale" if row["stale"] else "",
            "provisional" if row["provisional"] else "",
        ]
        marks.append(row["why"] if row["why"].startswith(EQUAL) else "")
        marks.append(f"needs {', '.join(row['needs'])}" if row["needs"] else "")
        marks.append(
            f"defaults from {row['defaults']}"
            if row["defaults"].startswith(("paper", "here"))
            else row["defaults"]
            if row["defaults"].startswith("tuned")
            else ""
        )
        marks.append(f"on {row['class']}" if several and row["class"] else "")
        return "; ".join(mark for mark in marks if mark)

    better = {"max": "higher is better", "min": "lower is better"}.get(
        table["primary"]["direction"], ""
    )
    facts = [
        table["preset"],
        table["device"],
        table["primary"]["name"],
        unit,
        better,
        test_set_said(table["test_set"]),
    ]
    return {
        "title": f"{table['task']} · {table['variant']}",
        "about": " · ".join(filter(None, facts)),
        "metric": (table["primary"]["name"] or "value")
        + ARROWS.get(table["primary"]["direction"], ""),
        "rows": [
            {
                "method": row["method"],
                "bold": row["leading"],
                "cells": cells(row),
                "remarks": remarks(row),
            }
            for row in rows
        ],
        "notes": table["notes"],
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
            "better": "better than the null",
            "worse": "worse than the null",
            "same": f"the null's within ±{board['suite']['delta']}",
            "undecided": "not told apart from the null",
        }
        said.append(words[row["vs_null"]["verdict"]])
    said += filter(None, [against_plain(row, best_plain)])
    scores = [cell["score"] for cell in row["cells"].values() if cell["score"] is not None]
    said.append(f"above the null in {sum(score > 0 for score in scores)} of {len(scores)} variants")
    return "; ".join(said)


def failures(records: Sequence[Record]) -> list[dict[str, str]]:
    """Return the runs that failed with the first words of the reason and
    the command that runs them again.
    """
    ordered = sorted(
        records,
        key=lambda record: (record.task, record.variant, record.method, record.seed, record.id),
    )
    return [
        {
            "run": f"{record.method} on {record.task} {record.variant}, seed {record.seed}",
            "status": record.status,
            "reason": _head(f"{record.error.type}: {record.error.message}" if record.error else ""),
            "rerun": _head(
                record.error.rerun if record.error and record.error.rerun else _command(record)
            ),
        }
        for record in ordered[:FAILURES]
    ]


def _command(record: Record) -> str:
    return RunSpec(**{name: getattr(record, name) for name in RunSpec.__struct_fields__}).command()


def _head(text: str) -> str:
    line = plain(text[: HEAD + 1])
    return line if len(line) <= HEAD else f"{line[:HEAD]} …"


def anchors(board: Row) -> list[dict[str, str]]:
    """Return what scores 0 and 1 in every cell."""

    def side(anchor: Row) -> tuple[str, str]:
        if anchor["value"] is None:
            return anchor["name"], "not run yet"
        error = f" ± {anchor['sd'] / anchor['n'] ** 0.5:.2g} s.e." if anchor["n"] else ""
        return anchor["name"] or anchor["why"], f"{anchor['value']:.4g}{error}"

    found = []
    for cell in (cell for track in board["tracks"] for cell in track["cells"]):
        low, high = side(cell["low"]), side(cell["high"])
        state = ", ".join(
            [
                f"{cell['state']}: {cell['thin'] or cell['saturated']}"
                if cell["thin"] or cell["saturated"]
                else cell["state"],
                "frozen" if cell["frozen"] else "not frozen",
                *(["drifted"] if cell["drift"] else []),
                *filter(None, [test_set_said(cell["test_set"])]),
            ]
        )
        found.append(
            {
                "cell": cell["cell"],
                "metric": cell["primary"],
                "low": low[0],
                "low_value": low[1],
                "high": high[0],
                "high_value": high[1],
                "state": state,
            }
        )
    return found


def provenance(
    board: Row, records: Sequence[Record], made_with: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return by what the records were computed, the most frequent first, and the page made."""

    def counted(values: Sequence[str]) -> str:
        found = sorted(
            Counter(value for value in values if value).items(),
            key=lambda item: (-item[1], item[0]),
        )
        return "; ".join(f"{value} ({count})" for value, count in found[:8]) + (
            f"; and {len(found) - 8} more" if len(found) > 8 else ""
        )

    sources = [record.provenance for record in records]
    versions = [
        f"{name} {version}"
        for source in sources
        for name, version in sorted(source.get("versions", {}).items())
    ]
    rows = [
        ("Records", f"{len(records)} in {len(board['tables'])} tables"),
        ("Runner", counted([str(source.get("runner", "")) for source in sources])),
        ("Processor", counted([str(source.get("cpu", "")) for source in sources])),
        ("Class", counted([str(source.get("cpu_class", "")) for source in sources])),
        (
            "Kernels",
            counted([in_words(source["kernels"]) for source in sources if "kernels" in source]),
        ),
        ("System", counted([str(source.get("system", "")) for source in sources])),
        ("Python", counted([str(source.get("python", "")) for source in sources])),
        ("Libraries", counted(versions)),
        (
            "Commits",
            counted(
                [str((source.get("bench_git") or {}).get("commit", ""))[:12] for source in sources]
            ),
        ),
        ("Page made with", ", ".join(f"{name} {version}" for name, version in made_with.items())),
        ("Notes", " ".join(board["notes"])),
    ]
    return [row for row in rows if row[1]]
