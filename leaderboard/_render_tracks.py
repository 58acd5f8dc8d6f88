"""Writing a track's board as Markdown, LaTeX or CSV lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._text import Column, escape, grid, number, plain, some

Row = Mapping[str, Any]

VERDICTS = {"better": "better", "worse": "worse", "same": "≈", "undecided": "undecided"}
STATES = {"missing": "…", "not_applicable": "—"}


def track_markdown(track: Row, suite: Row) -> str:
    """Return a track's board; where no method has run all of it, a line that says so."""
    rows = [row for row in track["rows"] if row["ok"] or row["imputed"]]
    head = f"## {escape(track['title'])} ({escape(track['track'])})"
    if not any(row["rank"] for row in rows):
        covered = (
            f"{track['coverage']['ok']} of {track['coverage']['expected']} runs of the suite {escape(suite['name'])} are there: no board of the track yet."
        )
        return "\n\n".join([head, covered, *(escape(note) for note in track["notes"])])
    return "\n\n".join([head, _caption(track, suite), grid(_columns(track, rows)), *_lines(track, rows)])


def _caption(track: Row, suite: Row) -> str:
    cells = [cell for cell in track["cells"] if cell["state"] == "scored"]
    return (
        f"Suite {escape(suite['name'])}: mean normalised score over {some(len(track['scored_tasks']), 'task')} ({some(len(cells), 'variant')}), {suite['seeds']} seeds; "
        "0 is the null, 1 the upper anchor; 95 % t interval over seeds, tasks as they are."
    )


def _columns(track: Row, rows: Sequence[Row]) -> list[Column]:
    return [
        ("rank", "right", [str(row["rank"] or "—") for row in rows]),
        ("range", "right", [range_of(row) for row in rows]),
        ("method", "left", [_named(row) for row in rows]),
        ("score [95 %]", "right", [score_of(row) for row in rows]),
        ("IQM", "right", [number(row["iqm"][0] if row["iqm"] else None, 3) for row in rows]),
        ("P(> null)", "right", [number(row["p_better"][0] if row["p_better"] else None, 2) for row in rows]),
        ("vs null", "left", [verdict_of(row["vs_null"]) for row in rows]),
        ("vs leader", "left", [verdict_of(row["vs_leader"]) for row in rows]),
        ("runs ok/‡/all", "right", [f"{row['ok']}/{row['imputed']}/{row['of']}" for row in rows]),
        ("visits (M)", "right", [number(_scaled(row["cost"]["visits"], 1e6), 2) for row in rows]),
        ("solve s", "right", [number(row["cost"]["seconds"], 1) for row in rows]),
    ]


def range_of(row: Row) -> str:
    """Return a rank range, one number where both ends are one."""
    if not row["range"]:
        return "—"
    low, high = row["range"]
    return str(low) if low == high else f"{low}–{high}"  # noqa: RUF001 - a range is written with an en dash


def score_of(row: Row) -> str:
    """Return a score with its interval, as far as there is one."""
    if row["score"] is None:
        return "—"
    interval = "" if row["low"] is None else f" [{number(row['low'], 3)}, {number(row['high'], 3)}]"
    return number(row["score"], 3) + interval


def verdict_of(found: Row | None) -> str:
    """Return a verdict with its difference, and the seeds that an undecided one needs."""
    if found is None:
        return "—"
    more = f", {found['seeds_needed']} seeds would tell" if found["seeds_needed"] else ""
    return f"{VERDICTS[found['verdict']]} ({number(found['mean'], 3, '+')}{more})"


def _named(row: Row) -> str:
    marks = ("†" if row["needs"] else "") + ("‡" if row["imputed"] else "") + ("\\*" if row["provisional"] else "") + (" (stale)" if row["stale"] else "")
    name = f"**{escape(row['method'])}**" if row["bold"] else escape(row["method"])
    return f"{name} {marks}".rstrip()


def _scaled(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit


def reliability(track: Row) -> list[str]:
    """Say how far the headline can be relied on: agreement of three summaries, leave-one-task-out, the tests used."""
    lines = []
    if top := track["agreement"]:
        if top["agree"]:
            lines.append(f"Mean, IQM and mean rank agree on the first three: {', '.join(top['mean'])}.")
        else:
            said = "; ".join(f"{', '.join(top[name])} ({name.replace('_', ' ')})" for name in ("mean", "iqm", "mean_rank"))
            lines.append(f"Mean, IQM and mean rank do not agree on the first three: {said}.")
    if out := track["leave_one_out"]:
        lines.append(f"First place ({out['leader']}) holds in {out['holds']} of {out['of']} drops of one task.")
    words = {"null": "against the null", "leader": "against the leader", "pairs": "all pairs"}
    tests = [(said, track["tests"][name]) for name, said in words.items() if track["tests"][name]]
    if tests:
        one = {test for _, test in tests}
        said = one.pop() if len(one) == 1 else "; ".join(f"{family} by {test}" for family, test in tests)
        lines.append(f"Tests: {said}; p adjusted by Holm over each family (null, leader, all pairs).")
    return lines


def _lines(track: Row, rows: Sequence[Row]) -> list[str]:
    lines = [escape(line) for line in reliability(track)]
    marks = {
        "Bold: better than every method below it.": any(row["bold"] for row in rows),
        f"† needs more than the problem: {escape(', '.join(sorted({need for row in rows for need in row['needs']})))}.": any(row["needs"] for row in rows),
        "‡ runs that failed count as chance.": any(row["imputed"] for row in rows),
        "\\* provisional: runs are missing.": any(row["provisional"] for row in rows),
    }
    lines.append(" ".join(text for text, used in marks.items() if used))
    reasons: dict[str, list[str]] = {}
    for row in track["rows"]:
        if row["why"]:
            reasons.setdefault(row["why"], []).append(row["method"])
    lines.append("\n".join(f"- Not ranked: {escape(', '.join(methods))} ({escape(why)})." for why, methods in reasons.items()))
    return [line for line in [*lines, *(escape(note) for note in track["notes"])] if line]


def track_latex(track: Row, suite: Row) -> str:
    """Return the ranked rows of a track as a LaTeX table for the package booktabs; text is escaped."""
    from tabulate import tabulate

    rows = [row for row in track["rows"] if row["rank"]]
    if not rows:
        return f"% {plain(track['track'])}: no method has run the whole suite."
    heads = ["rank", "range", "method", "score", "95 % interval", "IQM", "P(> null)", "vs null", "vs leader"]
    lines = [
        [
            str(row["rank"]),
            range_of(row).replace("–", "-"),  # noqa: RUF001
            plain(row["method"]),
            number(row["score"], 3),
            f"[{number(row['low'], 3)}, {number(row['high'], 3)}]",
            number(row["iqm"][0], 3),
            number(row["p_better"][0], 2) if row["p_better"] else "-",
            *(found["verdict"] if (found := row[name]) else "-" for name in ("vs_null", "vs_leader")),
        ]
        for row in rows
    ]
    aligned = ["right", "right", "left", "right", "right", "right", "right", "left", "left"]
    table = tabulate(lines, headers=heads, tablefmt="latex_booktabs", colalign=aligned, disable_numparse=True)
    return f"% {plain(track['title'])}, suite {plain(suite['name'])}, {some(len(track['scored_tasks']), 'task')}, {suite['seeds']} seeds\n{table}"


def track_lines(track: Row) -> list[dict[str, Any]]:
    """Return one flat mapping a row of a track; nested figures get dotted names."""
    lines = []
    for row in track["rows"]:
        flat = {
            key: row[key]
            for key in ("rank", "method", "reference", "peeks", "score", "low", "high", "mean_rank", "provisional", "stale", "ok", "imputed", "of", "bold")
        }
        pairs = {f"range.{end}": value for end, value in zip(("low", "high"), row["range"] or (None, None), strict=True)}
        pairs |= {f"wide.{end}": value for end, value in zip(("low", "high"), row["wide"] or (None, None), strict=True)}
        for name in ("iqm", "p_better"):
            pairs |= {f"{name}{end}": value for end, value in zip(("", ".low", ".high"), row[name] or (None, None, None), strict=True)}
        for name in ("vs_null", "vs_leader"):
            found = row[name] or dict.fromkeys(("mean", "low", "high", "p", "p_holm", "verdict", "seeds_needed"))
            pairs |= {f"{name}.{key}": value for key, value in found.items()}
        cost = {f"cost.{key}": value for key, value in row["cost"].items()} | {f"front.{key}": value for key, value in row["front"].items()}
        lines.append({"track": track["track"], **flat, **pairs, **cost, "needs": " ".join(row["needs"]), "why": row["why"]})
    return lines
