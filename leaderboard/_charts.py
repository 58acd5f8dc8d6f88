"""The page's charts, as Vega-Lite specifications written with altair.

They hold data and marks; colours of axes and text are the theme's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from ._chart_labels import SIDES, shares, sides
from ._text import range_of

Row = Mapping[str, Any]

ACCENT, MUTED = "#0b7a75", "#8a94a0"
COLOURS = [
    "#0b7a75",
    "#c8553d",
    "#4c6fbf",
    "#b8860b",
    "#8e5aa8",
    "#4f8f3a",
    "#c2588f",
    "#5b7083",
    "#a0522d",
    "#2f9bb3",
]
SHAPES = [
    "circle",
    "square",
    "triangle-up",
    "diamond",
    "cross",
    "triangle-down",
    "triangle-right",
    "triangle-left",
    "circle",
    "square",
]
HEIGHT, EDGE = 300, 24
"""Pixels of the chart of score against cost, and between its outermost points and its edges."""
MOST_LINES = len(COLOURS)
"""Methods in one chart of lines: more can't be told apart."""


def unchecked() -> Any:
    """Return a context in which altair does not hold every part of every
    chart against its schema: the tests draw them.
    """
    from altair.utils.schemapi import debug_mode

    return debug_mode(False)


def intervals(rows: Sequence[Row]) -> dict[str, Any]:
    """Return scores with their intervals: thick over seeds, thin over tasks and seeds."""
    values = [
        {
            "method": row["method"],
            "score": row["score"],
            "low": row["score"] if row["low"] is None else row["low"],
            "high": row["score"] if row["high"] is None else row["high"],
            "wide_low": row["wide"][0] if row["wide"] else None,
            "wide_high": row["wide"][1] if row["wide"] else None,
            "place": row["place"],
            "range": range_of(row),
        }
        for row in rows
    ]
    order = [value["method"] for value in values]
    base = alt.Chart(alt.InlineData(values=values)).encode(
        y=alt.Y(
            "method:N",
            sort=order,
            title=None,
            axis=alt.Axis(labelLimit=150, ticks=False, domain=False),
        )
    )
    tips = [
        alt.Tooltip("method:N"),
        *(
            alt.Tooltip(f"{name}:Q", format=".3f")
            for name in ("score", "low", "high", "wide_low", "wide_high")
        ),
        "place:O",
        "range:N",
    ]
    title = "normalised score"
    thin = base.mark_rule(strokeWidth=1, color=MUTED).encode(
        x=alt.X("wide_low:Q", title=title), x2="wide_high:Q"
    )
    thick = base.mark_rule(strokeWidth=4, color=ACCENT, opacity=0.45, strokeCap="round").encode(
        x="low:Q", x2="high:Q"
    )
    point = base.mark_point(filled=True, size=60, color=ACCENT, opacity=1).encode(
        x=alt.X("score:Q", title=title), tooltip=tips
    )
    zero = (
        alt.Chart(alt.InlineData(values=[{"at": 0}, {"at": 1}]))
        .mark_rule(strokeDash=[3, 3], color=MUTED, opacity=0.6)
        .encode(x=alt.X("at:Q", title=title))
    )
    layers = [
        zero,
        *([thin] if all(value["wide_low"] is not None for value in values) else []),
        thick,
        point,
    ]
    return _spec(alt.layer(*layers).properties(height=max(60, 22 * len(values)), width="container"))


def pareto(rows: Sequence[Row], axis: str, title: str) -> dict[str, Any]:
    """Return score against cost; the front is what no method dominates."""
    values = [
        {
            "method": row["method"],
            "cost": row["cost"][axis],
            "score": row["score"],
            "front": "on the front" if row["front"][axis] else "dominated",
        }
        for row in rows
        if row["cost"][axis]
    ]
    kinds = ["on the front", "dominated"]
    _place_names(values, kinds[0])
    base = alt.Chart(alt.InlineData(values=values)).encode(
        x=alt.X(
            "cost:Q",
            scale=alt.Scale(type="log", nice=False, padding=EDGE),
            title=title,
            axis=alt.Axis(tickCount=5, format="~s", grid=False),
        ),
        y=alt.Y(
            "score:Q",
            title="normalised score",
            scale=alt.Scale(zero=False, nice=False, padding=EDGE),
        ),
    )
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        color=alt.Color(
            "front:N",
            scale=alt.Scale(domain=kinds, range=[ACCENT, MUTED]),
            legend=alt.Legend(title=None, orient="top"),
        ),
        shape=alt.Shape(
            "front:N",
            scale=alt.Scale(domain=kinds, range=["circle", "diamond"]),
            legend=alt.Legend(title=None, orient="top"),
        ),
        tooltip=[
            alt.Tooltip("method:N"),
            alt.Tooltip("cost:Q", format=".3s"),
            alt.Tooltip("score:Q", format=".3f"),
            alt.Tooltip("front:N"),
        ],
    )
    front = base.transform_filter(alt.datum.front == kinds[0])
    line = front.mark_line(color=ACCENT, opacity=0.4, strokeWidth=1.5, interpolate="step-after")
    names = [
        base.transform_filter(alt.datum.side == side)
        .mark_text(align=align, baseline="middle", dx=dx, dy=dy)
        .encode(text="method:N")
        for side, (align, dx, dy) in SIDES.items()
        if any(value["side"] == side for value in values)
    ]
    return _spec(alt.layer(line, points, *names).properties(height=HEIGHT, width="container"))


def _place_names(values: list[dict[str, Any]], front: str) -> None:
    """Say of every point on which side its name stands: of those on the front, where there is
    room. The others have tips, and a row in the table.
    """
    values.sort(key=lambda value: (value["front"] != front, -value["score"]))
    if not values:
        return
    x = shares([value["cost"] for value in values], log=True)
    y = shares([value["score"] for value in values])
    names = [value["method"] for value in values if value["front"] == front]
    places = sides(list(zip(x, y, strict=True)), names, HEIGHT, EDGE)
    for k, value in enumerate(values):
        value["side"] = places[k] if k < len(places) else None


def lines(
    values: Sequence[Row],
    names: Sequence[str],
    x: str,
    x_title: str,
    y_title: str,
    temporal: bool = False,
) -> dict[str, Any]:
    """Return one line a method; ``values`` hold ``method``, ``x`` and ``y``."""
    shown = list(names)[:MOST_LINES]
    scale = alt.Scale(domain=shown, range=COLOURS[: len(shown)])
    chart = (
        alt.Chart(alt.InlineData(values=[value for value in values if value["method"] in shown]))
        .mark_line(
            strokeWidth=1.8, point=alt.OverlayMarkDef(size=36, filled=True) if temporal else False
        )
        .encode(
            x=alt.X(
                f"{x}:{'O' if temporal else 'Q'}",
                title=x_title,
                axis=alt.Axis(grid=False, labelAngle=0),
            ),
            y=alt.Y("y:Q", title=y_title, scale=alt.Scale(zero=False)),
            color=alt.Color(
                "method:N",
                scale=scale,
                sort=shown,
                legend=alt.Legend(
                    title=None,
                    orient="bottom",
                    columns=4,
                    labelLimit=140,
                    symbolType="stroke",
                    symbolStrokeWidth=3,
                ),
            ),
            tooltip=[
                alt.Tooltip("method:N"),
                alt.Tooltip(f"{x}:{'O' if temporal else 'Q'}", title=x_title),
                alt.Tooltip("y:Q", format=".4~g", title=y_title),
            ],
        )
    )
    return _spec(chart.properties(height=260, width="container"))


def _spec(chart: Any) -> dict[str, Any]:
    """Return a specification without what differs from one call to the next."""
    spec: dict[str, Any] = chart.to_dict(validate=False)
    for name in ("$schema", "config"):
        spec.pop(name, None)
    return {**spec, "autosize": {"type": "fit-x", "contains": "padding"}}
