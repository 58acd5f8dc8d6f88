"""Writing a track's board as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._render_datasets import datasets_markdown
from ._text import (
    Column,
    class_column,
    counted,
    defaults_column,
    escape,
    flops,
    grid,
    number,
    range_of,
    seeds_text,
    suite_text,
    visits,
)
from ._track_facts import below, fixed_tests, reliability, shown_rows
from ._unaided import unaided_columns

Row = Mapping[str, Any]

VERDICTS = {"better": "better", "worse": "worse", "same": "≈", "undecided": "undecided"}
STATES = {"missing": "…", "not_applicable": "—"}


def track_markdown(track: Row, suite: Row) -> str:
    """Return a track's board; where no method has run all of it, a line that says so."""
    rows = shown_rows(track)
    head = f"## {escape(track['title'])} ({escape(track['track'])})"
    if not any(row["place"] for row in rows):
        covered = (
            f"{track['coverage']['ok']} of {track['coverage']['expected']} runs of the suite "
            f"{escape(suite_text(suite))} are there: no board of the track yet."
        )
        return "\n\n".join([head, covered, *(escape(note) for note in track["notes"])])
    return "\n\n".join(
        [
            head,
            _caption(track, suite),
            grid(_columns(track, rows)),
            *_lines(track, rows),
            *(datasets_markdown(found) if (found := track.get("datasets")) else []),
        ]
    )


def _caption(track: Row, suite: Row) -> str:
    cells = [cell for cell in track["cells"] if cell["state"] == "scored"]
    return (
        f"Suite {escape(suite_text(suite))}: mean normalised score over "
        f"{counted(len(track['scored_tasks']), 'task')} ({counted(len(cells), 'variant')}), "
        f"{suite['seeds']} seeds; 0 is the baseline, 1 the upper anchor; 95 % t interval over "
        "seeds, for these tasks alone."
    )


def _columns(track: Row, rows: Sequence[Row]) -> list[Column]:
    found = unaided_columns(rows)
    without, needs = found[:1], found[1:]
    return [
        ("#", "right", [str(row["place"] or "—") for row in rows]),
        ("range", "right", [range_of(row) for row in rows]),
        *without,
        ("method", "left", [_named(row) for row in rows]),
        ("score [95 %]", "right", [score_of(row) for row in rows]),
        ("IQM", "right", [number(row["iqm"][0] if row["iqm"] else None, 3) for row in rows]),
        (
            "P(> baseline)",
            "right",
            [number(row["p_better"][0] if row["p_better"] else None, 2) for row in rows],
        ),
        ("vs baseline", "left", [verdict_of(row["vs_null"]) for row in rows]),
        ("vs first", "left", [verdict_of(row["vs_first"]) for row in rows]),
        *(
            [("vs best plain", "left", [verdict_of(row["vs_plain"]) for row in rows])]
            if track["best_plain"]
            else []
        ),
        ("runs ok/‡/all", "right", [f"{row['ok']}/{row['imputed']}/{row['of']}" for row in rows]),
        ("GFLOP", "right", [flops(row["cost"]) for row in rows]),
        (
            "visits (M)",
            "right",
            [
                visits(
                    row["cost"],
                    row["cost"]["visits"],
                    number(_scaled(row["cost"]["visits"], 1e6), 2),
                )
                for row in rows
            ],
        ),
        ("solve s", "right", [number(row["cost"]["seconds"], 1) for row in rows]),
        *needs,
        *defaults_column(rows),
        *class_column(rows),
    ]


def score_of(row: Row) -> str:
    """Return a score with its interval, as far as there is one."""
    if row["score"] is None:
        return "—"
    interval = "" if row["low"] is None else f" [{number(row['low'], 3)}, {number(row['high'], 3)}]"
    return number(row["score"], 3) + interval


def word_of(found: Row) -> str:
    """Return a verdict in words: an undecided difference whose own
    interval excludes 0 leans to a side.
    """
    return f"leans {found['leans']}" if found["leans"] else VERDICTS[found["verdict"]]


def verdict_of(found: Row | None) -> str:
    """Return a verdict with its difference, and the seeds that would decide an undecided one."""
    if found is None:
        return "—"
    facts = filter(None, [number(found["mean"], 3, "+"), seeds_text(found["seeds_needed"])])
    return f"{word_of(found)} ({', '.join(facts)})"


def _named(row: Row) -> str:
    marks = (
        ("○" if row["plain"] else "")
        + ("†" if row["needs"] else "")
        + ("‡" if row["imputed"] else "")
        + ("\\*" if row["provisional"] else "")
        + (" (stale)" if row["stale"] else "")
    )
    name = f"**{escape(row['method'])}**" if row["leading"] else escape(row["method"])
    return f"{name} {marks}".rstrip()


def _scaled(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit


def _lines(track: Row, rows: Sequence[Row]) -> list[str]:
    lines = [escape(line) for line in [*reliability(track), *fixed_tests(track), *below(track)]]
    marks = {
        "Bold: not separable from the first. Range: of the true rank, at 95 %.": any(
            row["leading"] for row in rows
        ),
        "○ a plain baseline: what anyone would try first.": any(row["plain"] for row in rows),
        (
            "† needs more than the problem: "
            f"{escape(', '.join(sorted({need for row in rows for need in row['needs']})))}."
        ): any(row["needs"] for row in rows),
        "# without †: the place among those that need no more.": bool(unaided_columns(rows)),
        "‡ runs that failed count as chance, at least -1; the range then starts at the place.": any(
            row["imputed"] for row in rows
        ),
        "\\* provisional: runs are missing.": any(row["provisional"] for row in rows),
    }
    lines.append(" ".join(text for text, used in marks.items() if used))
    reasons: dict[str, list[str]] = {}
    for row in track["rows"]:
        if row["why"]:
            reasons.setdefault(row["why"], []).append(row["method"])
    lines.append(
        "\n".join(
            f"- No place: {escape(', '.join(methods))} ({escape(why)})."
            for why, methods in reasons.items()
        )
    )
    return [line for line in [*lines, *(escape(note) for note in track["notes"])] if line]
