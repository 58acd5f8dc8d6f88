"""The board as one picture, for a README or a slide: every track's scores
with their intervals, as SVG.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from . import _charts
from ._text import one_line

COLUMNS, WIDTH = 3, 190
THEMES = {
    "leaderboard.svg": {
        "ink": "#1d2329",
        "soft": "#5a6570",
        "line": "#d9dddf",
        "mark": _charts.ACCENT,
    },
    "leaderboard-dark.svg": {
        "ink": "#e6eaec",
        "soft": "#a3adb5",
        "line": "#2d343a",
        "mark": "#4dbdb4",
    },
}
"""File -> colours; the ground is transparent."""


def names(board: Mapping[str, Any]) -> list[str]:
    """Return the files that :func:`pictures` makes: none where no track has placed methods."""
    return list(THEMES) if _panels(board) else []


def pictures(board: Mapping[str, Any]) -> dict[str, str]:
    """Return file -> SVG, in a light and in a dark theme."""
    import vl_convert

    panels = _panels(board)
    return {
        file: _steady(vl_convert.vegalite_to_svg(_drawable(_spec(panels, THEMES[file]))))
        for file in names(board)
    }


def _drawable(spec: Any) -> Any:
    """Return a specification whose texts hold no control characters: SVG
    has none, and the drawing library ends the process at one.
    """
    if isinstance(spec, dict):
        return {name: _drawable(value) for name, value in spec.items()}
    if isinstance(spec, list):
        return [_drawable(value) for value in spec]
    return one_line(spec) if isinstance(spec, str) else spec


def _panels(board: Mapping[str, Any]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Return title and placed rows of every track that has some."""
    ranked = [
        (track["title"], [row for row in track["rows"] if row["place"]])
        for track in board["tracks"]
    ]
    return [(title, rows) for title, rows in ranked if rows]


def _spec(
    panels: Sequence[tuple[str, Sequence[Mapping[str, Any]]]], colours: Mapping[str, str]
) -> dict[str, Any]:
    """Lay the panels into columns of about equal height, each below the last of the shortest."""
    columns: list[list[dict[str, Any]]] = [[] for _ in range(min(COLUMNS, len(panels)))]
    data: dict[str, Any] = {}
    for title, rows in panels:
        with _charts.unchecked():
            chart = _charts.intervals(rows)
        for layer in chart["layer"]:
            layer["encoding"]["x"]["title"] = None  # what a score is stands beside the picture
        del chart["autosize"]  # a part of a larger picture has none, and no datasets of its own
        data |= chart.pop("datasets")
        shortest = min(columns, key=lambda column: sum(other["height"] + 60 for other in column))
        shortest.append({**chart, "width": WIDTH, "height": 15 * len(rows), "title": title})
    stacks = [{"vconcat": column, "spacing": 22} for column in columns]
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "hconcat": stacks,
        "spacing": 28,
        "datasets": data,
        "config": _config(colours),
    }
    return json.loads(json.dumps(spec).replace(_charts.ACCENT, colours["mark"]))  # type: ignore[no-any-return]


def _config(colours: Mapping[str, str]) -> dict[str, Any]:
    soft, line = colours["soft"], colours["line"]
    return {
        "background": "transparent",
        "font": "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
        "view": {"stroke": None},
        "title": {
            "color": colours["ink"],
            "fontSize": 13,
            "anchor": "start",
            "frame": "group",
            "offset": 8,
        },
        "axis": {
            "labelColor": soft,
            "titleColor": soft,
            "gridColor": line,
            "domainColor": line,
            "tickColor": line,
            "labelFontSize": 10.5,
            "title": None,
        },
        "axisX": {"tickCount": 4, "gridOpacity": 0.7, "gridWidth": 0.7},
        "axisY": {"grid": False},
    }


def _steady(svg: str) -> str:
    """Number the ids from 0, so that the same board gives the same bytes."""
    names = dict.fromkeys(re.findall(r'\bid="([^"]+)"', svg))
    for number, name in enumerate(names):
        svg = re.sub(
            rf'(\bid="|url\(#|href="#){re.escape(name)}(?=["\)])', rf"\g<1>part{number}", svg
        )
    return svg
