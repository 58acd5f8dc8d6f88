"""Interval charts of tracks, drawn from committed records: how far the first methods of the board
stand from the baseline, in the unit of the track's metric.

The statistics are those that the page of the board gives under "raw": the mean of the scored
variants, paired with the baseline by seed, with a 95 % t interval. The same records give the same
bytes.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from tables_cards import ROOT
from tables_records import records, track_board

FOLDER = ROOT / "docs" / "_static" / "charts"
FIRST = 6
"""How many rows of the board a chart shows, the baseline's among them, which becomes the line; the
best plain baseline is added where it stands further down.
"""

THEMES = {
    "": {
        "ground": "#ffffff",
        "ink": "#1d2329",
        "soft": "#5a6570",
        "line": "#d9dddf",
        "mark": "#0b6e69",
    },
    "-dark": {
        "ground": "#131416",
        "ink": "#e6eaec",
        "soft": "#a3adb5",
        "line": "#3a424a",
        "mark": "#4dbdb4",
    },
}
"""What a file's name ends in -> colours. Each file has a ground, since a code host shows the light
one in its dark theme too.
"""
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
WIDTH, ROW, TOP, BOTTOM = 620, 24, 12, 52
RIGHT, LETTER = 150, 8.4
"""Room for the figures on the right, and for a letter of a name, in pixels."""

_BLOCK = re.compile(r"^<!-- chart: (\S+) -->$", re.MULTILINE)


class Row(NamedTuple):
    """A row of a chart; positive is better."""

    name: str
    """With the signs of the board: a plain baseline, or a method that is told more."""
    plain: bool
    leading: bool
    """The board can't separate it from the first."""
    mean: float
    low: float | None
    high: float | None
    seeds: int
    """Common with the baseline."""
    said: str
    """The mean and its interval, as the page of the board writes them."""


class Chart(NamedTuple):
    """What a chart shows."""

    title: str
    metric: str
    unit: str
    baseline: str
    reached: str
    """What the baseline reached; empty: it differs by variant."""
    over: str
    """On which variants, in words."""
    rows: list[Row]


@functools.cache
def chart_of(track: str) -> Chart | None:
    """Return the chart of a track; None: no committed record has a place on its board."""
    from bench.builtin.leaderboard._page_raw import raw_figures

    whole = track_board(track)
    held = {record.id: record for record in records()}
    for board in whole["tracks"]:
        for raw in raw_figures(board, whole, held)[:1] if board["track"] == track else ():
            if rows := _rows(board, raw):
                return Chart(
                    board["title"],
                    raw.name,
                    "points" if raw.unit == "%" else raw.unit,
                    raw.baseline or "the baseline",
                    raw.value(raw.baseline) if raw.baseline else "",
                    _over(board, raw.cells),
                    rows,
                )
    return None


def _shown(board: Any) -> list[Any]:
    """Return the first rows of a board, and the best plain baseline; a reference that sees the
    hidden part aside.
    """
    placed = [row for row in board["rows"] if row["place"] and row["reference"] != "high"]
    return placed[:FIRST] + [row for row in placed[FIRST:] if row["method"] == board["best_plain"]]


def _rows(board: Any, raw: Any) -> list[Row]:
    found = []
    for row in _shown(board):
        gained = raw.gained.get(row["method"])
        if gained:
            signs = f"{' ○' * row['plain']}{' †' * bool(row['needs'])}"
            said = " ".join(filter(None, raw.gain(row["method"])))
            found.append(
                Row(
                    row["method"] + signs,
                    row["plain"],
                    row["leading"],
                    gained.mean,
                    gained.low,
                    gained.high,
                    gained.n,
                    said,
                )
            )
    return found


def _over(board: Any, count: int) -> str:
    cells = [cell for cell in board["cells"] if cell["state"] == "scored"]
    if count == 1:
        return f"measured on `{cells[0]['task']}` `{cells[0]['variant']}`"
    tasks = len({cell["task"] for cell in cells})
    return f"the mean over {count} variants of {tasks} task{'s' * (tasks > 1)}"


@functools.cache
def chart(track: str) -> str:
    """Return the Markdown that embeds the chart of a track, with its figures as the text that
    stands for the picture.
    """
    shown = chart_of(track)
    if shown is None:
        return f"\nNo record of the track `{track}` is committed.\n\n"
    figures = _figures(shown).translate({ord("["): "(", ord("]"): ")"})  # of the text of an image
    unit = f"{shown.unit or 'units'} of `{shown.metric}`"
    baseline = f"`{shown.baseline}` ({shown.reached})" if shown.reached else shown.baseline
    seeds = min(row.seeds for row in shown.rows)
    marks = [
        "Bold: not separable from the first." if any(row.leading for row in shown.rows) else "",
        "○ a plain baseline." if any(row.plain for row in shown.rows) else "",
        "† is told more than the problem." if any("†" in row.name for row in shown.rows) else "",
    ]
    return (
        f"\n![{_title(shown)}: {figures}](../_static/charts/{track}.svg)\n\n"
        f"*A dot is a method's improvement on {baseline}, in {unit}; right of the dashed line is "
        f"better. It is {shown.over}, paired by seed ({seeds} seeds). Bars are 95 % intervals. "
        f"{' '.join(filter(None, marks))}*\n\n"
    )


def _title(shown: Chart) -> str:
    return f"{shown.title}, improvement on {shown.baseline} with 95 % intervals"


def _figures(shown: Chart) -> str:
    return "; ".join(f"{row.name} {row.said}" for row in shown.rows)


def pictures(pages: Iterable[Path]) -> dict[Path, tuple[Chart, dict[str, str]]]:
    """Return the files of the charts that some pages show, with what each is drawn from."""
    texts = [page.read_text(encoding="utf-8") for page in pages if page.is_file()]
    tracks = sorted({name for text in texts for name in _BLOCK.findall(text)})
    return {
        FOLDER / f"{track}{ending}.svg": (shown, colours)
        for track in tracks
        if (shown := chart_of(track))
        for ending, colours in THEMES.items()
    }


def svg(shown: Chart, colours: dict[str, str]) -> str:
    """Return a chart as SVG: a row a method, its mean as a dot (hollow: a plain baseline) on its
    interval, a dashed line where the baseline is.
    """
    left = 16 + LETTER * max(len(row.name) for row in shown.rows)
    ends = [end for row in shown.rows for end in (row.mean, row.low, row.high) if end is not None]
    low, high = min(0.0, *ends), max(0.0, *ends)
    room = 0.04 * (high - low) or 1.0
    low, high = low - room, high + room
    foot = TOP + ROW * len(shown.rows)

    def at(value: float) -> str:
        return f"{left + (value - low) / (high - low) * (WIDTH - RIGHT - left):.1f}"

    parts = [
        f'<text class="soft" text-anchor="middle" x="{at(tick)}" y="{foot + 18}">{text}</text>'
        f'<path class="grid" d="M{at(tick)} {TOP}V{foot + 4}"/>'
        for tick, text in _ticks(low, high)
    ]
    parts.append(f'<path class="zero" d="M{at(0.0)} {TOP - 6}V{foot + 4}"/>')
    for place, row in enumerate(shown.rows):
        middle = TOP + ROW * place + ROW / 2
        weight = ' class="lead"' if row.leading else ""
        parts.append(
            f'<text text-anchor="end" x="{left - 10:.1f}" y="{middle + 4:g}"{weight}>'
            f"{escape(row.name)}</text>"
        )
        if row.low is not None and row.high is not None:
            parts.append(f'<path class="bar" d="M{at(row.low)} {middle:g}H{at(row.high)}"/>')
        hollow = ' class="hollow"' if row.plain else ""
        parts.append(f'<circle cx="{at(row.mean)}" cy="{middle:g}" r="4.5"{hollow}/>')
        parts.append(
            f'<text class="soft" x="{WIDTH - RIGHT + 12}" y="{middle + 4:g}">{row.said}</text>'
        )
    unit = f"{shown.unit} of {shown.metric}" if shown.unit else shown.metric
    axis = f"improvement on {shown.baseline}{f' ({shown.reached})' * bool(shown.reached)}, {unit}"
    parts.append(
        f'<text class="soft" text-anchor="middle" x="{(left + WIDTH - RIGHT) / 2:.1f}" '
        f'y="{foot + 40}">{escape(axis)}</text>'
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{foot + BOTTOM}" '
            f'viewBox="0 0 {WIDTH} {foot + BOTTOM}" role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(_title(shown))}</title>',
            f'<desc id="desc">{escape(_figures(shown))}</desc>',
            _style(colours),
            f'<rect width="{WIDTH}" height="{foot + BOTTOM}" rx="6" fill="{colours["ground"]}"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _style(colours: dict[str, str]) -> str:
    return (
        f"<style>text{{font:13px {FONT};fill:{colours['ink']};font-variant-numeric:tabular-nums}}"
        f".lead{{font-weight:600}}.soft{{fill:{colours['soft']};font-size:12px}}"
        f".grid{{stroke:{colours['line']}}}"
        f".zero{{stroke:{colours['soft']};stroke-width:1.5;stroke-dasharray:4 3}}"
        f".bar{{stroke:{colours['mark']};stroke-width:3;stroke-linecap:round}}"
        f"circle{{fill:{colours['mark']};stroke:{colours['mark']};stroke-width:2}}"
        f"circle.hollow{{fill:{colours['ground']}}}</style>"
    )


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return round numbers between two others, about five, and how they are written."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    numbers = range(math.ceil(low / step), math.floor(high / step) + 1)
    return [(count * step, f"{count * step:+.{digits}f}" if count else "0") for count in numbers]
