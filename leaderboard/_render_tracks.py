"""Writing a track's board as Markdown, LaTeX or CSV lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._plain import plain_said
from ._ranks import EQUAL
from ._text import (
    Column,
    class_column,
    defaults_column,
    escape,
    flops,
    grid,
    number,
    plain,
    range_of,
    seeds_said,
    some,
    suite_said,
    test_set_said,
    visits,
)

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
            f"{escape(suite_said(suite))} are there: no board of the track yet."
        )
        return "\n\n".join([head, covered, *(escape(note) for note in track["notes"])])
    return "\n\n".join(
        [head, _caption(track, suite), grid(_columns(track, rows)), *_lines(track, rows)]
    )


def shown_rows(track: Row) -> list[Row]:
    """Return the rows of a track's board: those that ran, each of several
    that are the same once.
    """
    return [
        row
        for row in track["rows"]
        if (row["ok"] or row["imputed"]) and not row["why"].startswith(EQUAL)
    ]


def _caption(track: Row, suite: Row) -> str:
    cells = [cell for cell in track["cells"] if cell["state"] == "scored"]
    return (
        f"Suite {escape(suite_said(suite))}: mean normalised score over "
        f"{some(len(track['scored_tasks']), 'task')} ({some(len(cells), 'variant')}), "
        f"{suite['seeds']} seeds; 0 is the null, 1 the upper anchor; 95 % t interval over seeds, "
        "for these tasks alone."
    )


def _columns(track: Row, rows: Sequence[Row]) -> list[Column]:
    return [
        ("#", "right", [str(row["place"] or "—") for row in rows]),
        ("range", "right", [range_of(row) for row in rows]),
        ("method", "left", [_named(row) for row in rows]),
        ("score [95 %]", "right", [score_of(row) for row in rows]),
        ("IQM", "right", [number(row["iqm"][0] if row["iqm"] else None, 3) for row in rows]),
        (
            "P(> null)",
            "right",
            [number(row["p_better"][0] if row["p_better"] else None, 2) for row in rows],
        ),
        ("vs null", "left", [verdict_of(row["vs_null"]) for row in rows]),
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
    facts = filter(None, [number(found["mean"], 3, "+"), seeds_said(found["seeds_needed"])])
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


def reliability(track: Row) -> list[str]:
    """Say how far the headline can be relied on: who can't be separated from the first, agreement
    of three summaries, leave-one-task-out, the test.
    """
    lines = leaders(track)
    if top := track["agreement"]:
        if top["agree"]:
            lines.append(
                f"Mean, IQM and mean rank agree on the first three: {', '.join(top['mean'])}."
            )
        else:
            said = "; ".join(
                f"{', '.join(top[name])} ({name.replace('_', ' ')})"
                for name in ("mean", "iqm", "mean_rank")
            )
            lines.append(f"Mean, IQM and mean rank do not agree on the first three: {said}.")
    if out := track["leave_one_out"]:
        lines.append(_left_out(out))
    lines += plain_said(track)
    if track["test"]:
        lines.append(
            f"Test: {track['test']}; p adjusted by Holm over all "
            f"{some(len(track['pairs']['mean']), 'pair')} of placed methods."
        )
    return lines


def _left_out(out: Row) -> str:
    """Say whether the first stays first when one task is left out, and
    else who is first without which.
    """
    if out["holds"] == out["of"]:
        return (
            f"{out['leader']} stays first whichever task is left out ({out['of']} of {out['of']})."
        )
    others = ", ".join(
        f"{name} without {task}" for task, name in out["without"].items() if name != out["leader"]
    )
    return (
        f"{out['leader']} stays first in {out['holds']} of {out['of']} cases where one task "
        f"is left out; else first: {others}."
    )


def leaders(track: Row) -> list[str]:
    """Say who is first and how many can't be separated from it; nothing
    where no method has a place.
    """
    placed = [row for row in track["rows"] if row["place"]]
    if len(placed) < 2:
        return []
    firsts = [row["method"] for row in placed if row["place"] == 1]
    group = [row["method"] for row in placed if row["leading"] and row["place"] > 1]
    others = len(placed) - len(firsts)
    who = f"{' and '.join(firsts)} {'is' if len(firsts) == 1 else 'share'} first by the mean"
    if not group:
        return [f"{who}; the next is significantly worse."] if _parted(placed) else [f"{who}."]
    return [
        (
            f"{who}; {len(group)} of the other {others} can't be separated from "
            f"{'it' if len(firsts) == 1 else 'them'}: {', '.join(group)}."
        )
    ]


def _parted(placed: Sequence[Row]) -> bool:
    """Say whether the next row after the first is worse than it."""
    after = next((row for row in placed if row["place"] > 1), None)
    return bool(after and after["vs_first"] and after["vs_first"]["verdict"] == "worse")


def fixed_tests(track: Row) -> list[str]:
    """Name the tasks whose test rows are the same for every seed: their
    spread over seeds is blind to which rows these are.
    """
    own = {"official": "the data's own", "fixed": "the task's own"}
    found = {
        cell["task"]: own[cell["test_set"]]
        for cell in track["cells"]
        if test_set_said(cell["test_set"])
    }
    return (
        [
            (
                "Fixed test set, the same rows for every seed: "
                f"{', '.join(f'{task} ({whose})' for task, whose in found.items())}."
            )
        ]
        if found
        else []
    )


def below(track: Row) -> list[str]:
    """Name the runs that count as -1, with what they reached."""
    found = []
    for row in shown_rows(track):
        for cell in track["cells"]:
            reached = row["cells"][cell["cell"]]
            if reached["below"] == "below -1":
                found.append(
                    f"{row['method']} on {cell['task']} {cell['variant']} "
                    f"({number(reached['score'], 2)})"
                )
    return [f"Below -1, where runs count as -1: {', '.join(found)}."] if found else []


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


def track_latex(track: Row, suite: Row) -> str:
    """Return the ranked rows of a track as a LaTeX table for the package
    booktabs; text is escaped.
    """
    from tabulate import tabulate

    rows = [row for row in track["rows"] if row["place"]]
    if not rows:
        return f"% {plain(track['track'])}: no method has run the whole suite."
    heads = [
        "#",
        "range",
        "method",
        "score",
        "95 % interval",
        "IQM",
        "P(> null)",
        "vs null",
        "vs first",
        "vs best plain",
    ]
    lines = [
        [
            str(row["place"]),
            range_of(row).replace("–", "-"),  # noqa: RUF001
            plain(row["method"]) + (" (plain)" if row["plain"] else ""),
            number(row["score"], 3),
            f"[{number(row['low'], 3)}, {number(row['high'], 3)}]"
            if row["low"] is not None
            else "-",
            number(row["iqm"][0], 3),
            number(row["p_better"][0], 2) if row["p_better"] else "-",
            *(
                word_of(found).replace("≈", "same") if (found := row[name]) else "-"
                for name in ("vs_null", "vs_first", "vs_plain")
            ),
        ]
        for row in rows
    ]
    aligned = ["right", "right", "left", "right", "right", "right", "right", "left", "left", "left"]
    table = tabulate(
        lines, headers=heads, tablefmt="latex_booktabs", colalign=aligned, disable_numparse=True
    )
    return (
        f"% {plain(track['title'])}, suite {plain(suite_said(suite))}, "
        f"{some(len(track['scored_tasks']), 'task')}, {suite['seeds']} seeds\n{table}"
    )


def track_lines(track: Row) -> list[dict[str, Any]]:
    """Return one flat mapping a row of a track; nested figures get dotted names."""
    lines = []
    for row in track["rows"]:
        flat = {
            key: row[key]
            for key in (
                "place",
                "leading",
                "method",
                "reference",
                "plain",
                "peeks",
                "score",
                "low",
                "high",
                "mean_rank",
                "provisional",
                "stale",
                "ok",
                "imputed",
                "of",
            )
        }
        pairs = {
            f"range.{end}": value
            for end, value in zip(("low", "high"), row["range"] or (None, None), strict=True)
        }
        pairs |= {
            f"wide.{end}": value
            for end, value in zip(("low", "high"), row["wide"] or (None, None), strict=True)
        }
        for name in ("iqm", "p_better"):
            pairs |= {
                f"{name}{end}": value
                for end, value in zip(
                    ("", ".low", ".high"), row[name] or (None, None, None), strict=True
                )
            }
        for name in ("vs_null", "vs_first", "vs_plain"):
            found = row[name] or dict.fromkeys(
                ("mean", "low", "high", "p", "p_holm", "verdict", "leans", "seeds_needed")
            )
            pairs |= {f"{name}.{key}": value for key, value in found.items()}
        cost = {f"cost.{key}": value for key, value in row["cost"].items()} | {
            f"front.{key}": value for key, value in row["front"].items()
        }
        lines.append(
            {
                "track": track["track"],
                **flat,
                **pairs,
                **cost,
                "defaults": row["defaults"],
                "class": row["class"],
                "needs": " ".join(row["needs"]),
                "why": row["why"],
            }
        )
    return lines
