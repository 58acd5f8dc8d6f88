"""Figures in the sentences of the docs, computed from committed records.

A mark ``<!-- fig: interval acc_last of elr - ce on noisy-digits sym40 -->+9.1 [+7.0, +11.2]<!-- end
fig -->`` asks for a figure; ``docs/tables.py`` writes what stands between the two comments::

    fig: FORM [FORM] METRIC [- METRIC] of METHOD [- METHOD] on TASK [VARIANT] [OPTION=VALUE ...]

CONTRIBUTING.md describes the words.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Sequence

from tables_figures_query import FigureError, Query, number, parse, seeds_of
from tables_figures_values import Values, alike, cells, cut, whole

FIGURE = re.compile(
    r"(<!--\s*fig:[^\S\n]+((?:(?!-->)[^\n])+?)[^\S\n]*-->)([^\n]*?)(<!-- end fig -->)"
)


def renewed(text: str, errors: list[str]) -> str:
    """Return ``text`` with the figure of every mark computed anew.

    A mark that can't be computed keeps what it holds, and ``errors`` gets its line and why.
    """

    def anew(match: re.Match[str]) -> str:
        try:
            return match[1] + figure(match[2]) + match[4]
        except FigureError as error:
            line = text.count("\n", 0, match.start()) + 1
            errors.append(f"line {line}, mark 'fig: {match[2]}': {error}")
            return match[0]

    found = FIGURE.sub(anew, text)
    for match in re.finditer(r"<!--\s*fig\b(?::[^\S\n]*(?:-->)?)?", FIGURE.sub(_blank, text)):
        line = text.count("\n", 0, match.start()) + 1
        errors.append(
            f"line {line}: a mark of a figure is not whole; write '<!-- fig: WHAT -->' and "
            "'<!-- end fig -->' on one line."
        )
    return found


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


@functools.cache
def figure(said: str) -> str:
    """Return the figure that the words of a mark ask for, as it stands in the text."""
    query = parse(said)
    if query.metrics == ["score"] and not query.variants:  # with one it is a task's metric
        return _score(query)
    rows = list(cells(query))
    wanted = seeds_of(query.options.get("seeds"))
    rows = alike(rows) if wanted is None else [cut(row, wanted) for row in rows]
    if query.forms[-1] in ("known", "seeds"):
        return _counted(query, rows)
    factor = number(query, "times", 1.0)
    by_row = [[value * factor for value in whole(row)] for row in rows]
    if len(query.forms) == 2:
        return _written(query.forms[0], query, [_reduced(query.forms[1], query, v) for v in by_row])
    if len(rows) == 1 or query.forms[0] in ("min", "max", "range", "sum"):
        return _written(query.forms[0], query, [value for values in by_row for value in values])
    raise FigureError(
        f"{len(rows)} rows are named ({', '.join(row.name for row in rows)}); say what is made of "
        f"their figures, like 'range {query.forms[0]}', or name one."
    )


def _counted(query: Query, rows: Sequence[Values]) -> str:
    """Say how many seeds there are, or how many of them have a figure."""
    if len(query.forms) > 1 or len(rows) > 1:
        raise FigureError(f"{query.forms[-1]!r} counts the seeds of one row; name one.")
    known = sum(value is not None for value in rows[0].by_seed.values())
    count = len(rows[0].by_seed)
    return str(count) if query.forms[-1] == "seeds" else f"{known} of {count}"


def _reduced(form: str, query: Query, values: Sequence[float]) -> float:
    from bench.builtin.leaderboard._statistics import mean, sample_sd

    if form == "mean" and query.operator == "/":
        return math.exp(mean([math.log(value) for value in values]))
    if form == "mean":
        return mean(values)
    if form == "sd":
        spread = sample_sd(values)
        if spread is None:
            raise FigureError("one figure has no standard deviation; commit records of more seeds.")
        return spread
    made: Callable[[Sequence[float]], float] = {"min": min, "max": max, "sum": math.fsum}[form]
    return made(values)


def _written(form: str, query: Query, values: Sequence[float]) -> str:
    """Write what a form makes of figures, with the decimals and the sign that are asked for."""
    from bench.builtin.leaderboard._statistics import t_interval

    digits = int(number(query, "to", 2 if query.operator == "/" else 1))
    plus = "+" if query.operator == "-" and query.options.get("sign") != "no" else ""

    def text(value: float, sign: str = plus) -> str:
        rounded = round(value, digits) + 0.0
        return f"{0.0 if rounded == 0 else rounded:{sign},.{digits}f}"

    if form == "above":
        limit = number(query, "limit", 0.0)
        return f"{sum(value > limit for value in values)} of {len(values)}"
    if form == "range":
        return " to ".join(dict.fromkeys((text(min(values)), text(max(values)))))
    if form == "list":
        *others, last = map(text, values)
        return f"{', '.join(others)} and {last}" if others else last
    if form not in ("interval", "error"):
        return text(_reduced(form, query, values), "" if form == "sd" else plus)
    centre = _reduced("mean", query, values)
    ratio = query.operator == "/"
    interval = t_interval([math.log(value) for value in values] if ratio else values)
    if interval is None:
        raise FigureError("figures that are one or all equal have no interval; ask for 'mean'.")
    if form == "interval":
        low, high = map(math.exp, interval) if ratio else interval
        return f"{text(centre)} [{text(low)}, {text(high)}]"
    if ratio:
        raise FigureError("a ratio has no standard error; ask for 'interval'.")
    return f"{text(centre)} ± {text(_reduced('sd', query, values) / math.sqrt(len(values)), '')}"


def _score(query: Query) -> str:
    """Return the score of a method on the board of a track, alone or with its 95 % interval."""
    from tables_records import track_board

    if query.forms not in (["mean"], ["interval"]) or len(query.methods) != 1:
        raise FigureError("write it as 'mean score of METHOD on TRACK' or 'interval score of ...'.")
    rows = {
        row["method"]: row
        for board in track_board(query.tasks[0])["tracks"]
        for row in board["rows"]
        if row["score"] is not None
    }
    if query.methods[0] not in rows:
        raise FigureError(
            f"{query.methods[0]!r} has no score on the board of the track {query.tasks[0]!r}; "
            f"{', '.join(rows) or 'nothing'} has one."
        )
    row, digits = rows[query.methods[0]], int(number(query, "to", 2))
    shown = [
        f"{row[name]:.{digits}f}" for name in ("score", "low", "high") if row[name] is not None
    ]
    return shown[0] if query.forms == ["mean"] else f"{shown[0]} [{', '.join(shown[1:])}]"
