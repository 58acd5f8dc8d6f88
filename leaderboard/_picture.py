"""The board as one picture, for a README or a slide: a row a track with its first methods and its
best plain baseline on one axis of scores, as SVG.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from ._page_method import cut
from ._page_overview import FIRST, entrants_of, fields_of
from ._page_plot import Scale
from ._plain import WORDS
from ._text import number, one_line

Row = Mapping[str, Any]

THEMES = {
    "leaderboard.svg": {
        "ground": "#ffffff",
        "ink": "#1d2329",
        "soft": "#5a6570",
        "line": "#d9dddf",
        "mark": "#0b6e69",
        "plain": "#b4532a",
    },
    "leaderboard-dark.svg": {
        "ground": "#131416",
        "ink": "#e6eaec",
        "soft": "#a3adb5",
        "line": "#3a424a",
        "mark": "#4dbdb4",
        "plain": "#e59a6c",
    },
}
"""File -> colours. Each has a ground, since some readers show the light one in their dark theme."""
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
WIDTH, LEADER, LEFT, RIGHT, VERDICT = 960, 226, 384, 706, 722
"""Pixels: the whole, where leaders' names begin, the ends of the axis, where verdicts begin."""
ROW, HEAD, TOP, FOOT = 23, 29, 46, 66
"""Pixels: the height of a row and of a field's heading, and the room above and below."""
LEGEND = (
    (16, "mark", 4, "the first by score"),
    (156, "plain", 4, "the best plain baseline"),
    (332, "mark other", 3, f"the next {FIRST - 1}"),
)
"""Where a sign of the legend begins, its kind, its radius and what it means."""
LOW, HIGH = -0.5, 1.5
"""The scores that the axis holds at most; what is further out lies at its end."""


class Line(NamedTuple):
    """A row of the picture."""

    title: str
    leader: Row
    others: Sequence[Row]
    """The next methods of the board."""
    plain: Row | None
    """The best plain baseline; None: the leader is it, or no plain baseline has a place."""
    verdict: str


def names(board: Row) -> list[str]:
    """Return the files that :func:`pictures` makes: none where no track has placed methods."""
    return list(THEMES) if any(map(entrants_of, board["tracks"])) else []


def pictures(board: Row, cards: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Return file -> SVG, in a light and in a dark theme.

    Args:
        board: what :func:`.board.bench_board` made.
        cards: track -> card, whose fields group the rows.
    """
    groups = [
        (of["field"], [line_of(tracks[one["name"]]) for one in of["tracks"]])
        for tracks in [{one["track"]: one for one in board["tracks"] if entrants_of(one)}]
        for of in fields_of(list(tracks), board, cards or {})
    ]
    return {file: _svg(groups, THEMES[file]) for file in names(board)}


def line_of(track: Row) -> Line:
    """Return the row of a track that has placed methods."""
    entrants = entrants_of(track)
    leader, best = entrants[0], track["best_plain"]
    plain = next((row for row in entrants[1:] if row["method"] == best), None)
    verdict = "is a plain baseline" if leader["plain"] else ""
    if leader["vs_plain"]:
        verdict = f"{WORDS[leader['vs_plain']['verdict']]} {best}"
    return Line(track["title"], leader, entrants[1:FIRST], plain, verdict)


def _svg(groups: Sequence[tuple[str, Sequence[Line]]], colours: Mapping[str, str]) -> str:
    lines = [line for _, of in groups for line in of]
    scale = _scale(lines)
    foot = TOP + HEAD * len(groups) + ROW * len(lines)
    said = "; ".join(map(_said, lines))
    height = foot + FOOT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title desc">',
        '<title id="title">The first methods of every track and its best plain baseline, by score '
        "with 95 % intervals</title>",
        f'<desc id="desc">{_escaped(said)}</desc>',
        _style(colours),
        f'<rect width="{WIDTH}" height="{height}" rx="6" fill="{colours["ground"]}"/>',
        *_frame(scale, foot),
    ]
    y = TOP
    for field, of in groups:
        parts.append(f'<text class="field" x="16" y="{y + 20}">{_escaped(field)}</text>')
        parts.append(f'<path class="grid" d="M16 {y + HEAD - 2.5:g}H{WIDTH - 16}"/>')
        y += HEAD
        for line in of:
            parts += _row(line, scale, y + ROW / 2)
            y += ROW
    return "\n".join([*parts, "</svg>\n"])


def _scale(lines: Sequence[Line]) -> Scale:
    """Return the axis that all rows share: with all marks, and room for the names of 0 and 1."""
    marks = [row for line in lines for row in (line.leader, *line.others, line.plain) if row]
    ends = [end for row in marks for end in (row["score"], *_seeds(row), *_tasks(row))]
    return Scale(max(LOW, min(-0.15, *ends)) - 0.03, min(HIGH, max(1.2, *ends)) + 0.03)


def _seeds(row: Row) -> list[float]:
    """Return the ends of the interval over seeds, if there is one."""
    return [row["low"], row["high"]] if row["low"] is not None else []


def _tasks(row: Row) -> list[float]:
    """Return the ends of the interval over tasks and seeds, if there is one."""
    return list(row["wide"]) if row["wide"] else []


def _at(scale: Scale, score: float) -> str:
    return f"{LEFT + scale.at(score) / 100 * (RIGHT - LEFT):.1f}"


def _frame(scale: Scale, foot: int) -> Iterator[str]:
    """Yield the heads of the columns and the axis, with its ends above and below."""
    for x, text in (
        (16, "track"),
        (LEADER, "first by score"),
        (VERDICT, "against the best plain baseline"),
    ):
        yield f'<text class="soft" x="{x}" y="{TOP - 14}">{text}</text>'
    for score, text in ((0.0, "baseline 0"), (1.0, "reference 1")):
        for y in (TOP - 14, foot + 24):
            yield (
                f'<text class="soft" text-anchor="middle" x="{_at(scale, score)}" '
                f'y="{y}">{text}</text>'
            )
        yield f'<path class="end" d="M{_at(scale, score)} {TOP - 6}V{foot + 8}"/>'
    yield f'<path class="grid" d="M{_at(scale, 0.5)} {TOP - 6}V{foot + 8}"/>'
    for x, kind, radius, text in LEGEND:
        yield f'<circle class="{kind}" cx="{x + 4}" cy="{foot + 46}" r="{radius}"/>'
        yield f'<text class="soft" x="{x + 14}" y="{foot + 50}">{text}</text>'
    yield (
        f'<text class="soft" text-anchor="end" x="{WIDTH - 16}" y="{foot + 50}">95 % intervals: '
        "thick over seeds, thin over tasks and seeds · † is told more</text>"
    )


def _row(line: Line, scale: Scale, y: float) -> Iterator[str]:
    """Yield the names and marks of a track; its plain baseline lies a little below its leader."""
    lead, below = (y - 3.5, y + 5.5) if line.plain else (y, y)
    signs = f"{' ○' * line.leader['plain']}{' †' * bool(line.leader['needs'])}"
    base = f"{y + 4:g}"
    yield f'<text x="16" y="{base}">{_escaped(cut(line.title, 30))}</text>'
    yield (
        f'<text class="lead {_kind(line.leader)}" x="{LEADER}" y="{base}">'
        f"{_escaped(cut(line.leader['method'], 20) + signs)}</text>"
    )
    yield f'<text class="soft" x="{VERDICT}" y="{base}">{_escaped(cut(line.verdict, 36))}</text>'
    for row in line.others:
        if row is not line.plain:
            x = _at(scale, row["score"])
            yield f'<circle class="{_kind(row)} other" cx="{x}" cy="{lead:g}" r="3"/>'
    if line.plain:
        yield from _mark(line.plain, scale, below)
    yield from _mark(line.leader, scale, lead)


def _mark(row: Row, scale: Scale, y: float) -> Iterator[str]:
    """Yield a score on its intervals: thick over seeds, thin over tasks and seeds."""
    kind = _kind(row)
    for ends, width in ((_tasks(row), "thin"), (_seeds(row), "thick")):
        if ends:
            low, high = (_at(scale, end) for end in ends)
            yield f'<path class="{kind} {width}" d="M{low} {y:g}H{high}"/>'
    yield f'<circle class="{kind}" cx="{_at(scale, row["score"])}" cy="{y:g}" r="4"/>'


def _kind(row: Row) -> str:
    return "plain" if row["plain"] else "mark"


def _said(line: Line) -> str:
    """Say a row in words, for those who hear the picture."""
    ends = _seeds(line.leader)
    interval = f" ({number(ends[0], 2)} to {number(ends[1], 2)})" if ends else ""
    verdict = f", {line.verdict}" if line.verdict else ""
    score = number(line.leader["score"], 2)
    return f"{line.title}: {line.leader['method']} {score}{interval}{verdict}"


def _escaped(text: str) -> str:
    """Return a text as SVG holds it: without control characters."""
    return escape(one_line(text))


def _style(colours: Mapping[str, str]) -> str:
    return (
        f"<style>text{{font:13px {FONT};fill:{colours['ink']}}}"
        ".lead{font-weight:600}"
        f".soft{{fill:{colours['soft']};font-size:12px}}"
        f".field{{fill:{colours['soft']};font-size:11px;font-weight:600;letter-spacing:.06em;"
        "text-transform:uppercase}"
        f".grid,.end{{stroke:{colours['line']};fill:none}}"
        f".end{{stroke:{colours['soft']};stroke-dasharray:3 3}}"
        f".mark{{stroke:{colours['mark']};fill:{colours['mark']}}}"
        f".plain{{stroke:{colours['plain']};fill:{colours['ground']}}}"
        f"text.mark,text.plain{{stroke:none}}text.plain{{fill:{colours['plain']}}}"
        ".thick{stroke-width:3.5;stroke-linecap:round;opacity:.55}.thin{stroke-width:1}"
        "circle{stroke-width:1.8}circle.other{opacity:.4;stroke-width:1}</style>"
    )
