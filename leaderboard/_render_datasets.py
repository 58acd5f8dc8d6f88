"""Writing what each data set of a track gives as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._text import counted, escape, grid, number


def datasets_markdown(found: Mapping[str, Any]) -> list[str]:
    """Return the heading, the table and the sentences of a track by data set."""
    names, rows = found["datasets"], found["rows"]
    scores = [
        (
            escape(name),
            "right",
            [
                f"**{number(row['scores'][place], 3)}**"
                if row["method"] == found["leaders"][name]
                else number(row["scores"][place], 3)
                for row in rows
            ],
        )
        for place, name in enumerate(names)
    ]
    return [
        "### By data set, and over data sets",
        f"Mean normalised score on each of {counted(len(names), 'data set')} (bold: the best), and "
        "the mean over them with a 95 % t interval over data sets: what another set of the kind "
        "would give.",
        grid(
            [
                ("method", "left", [escape(row["method"]) for row in rows]),
                *scores,
                (
                    "mean [95 % over data sets]",
                    "right",
                    [_with_ends(row, "mean", "low", "high") for row in rows],
                ),
                (
                    "behind the first [95 %]",
                    "right",
                    [
                        "—"
                        if row is rows[0]
                        else _with_ends(row, "behind", "behind_low", "behind_high")
                        for row in rows
                    ],
                ),
                (
                    "ahead of it on",
                    "left",
                    [escape(", ".join(row["ahead_on"])) or "—" for row in rows],
                ),
            ]
        ),
        escape(_carried(found)),
    ]


def _with_ends(row: Mapping[str, Any], name: str, low: str, high: str) -> str:
    ends = "" if row[low] is None else f" [{number(row[low], 3)}, {number(row[high], 3)}]"
    return number(row[name], 3) + ends


def _carried(found: Mapping[str, Any]) -> str:
    """Say whether one data set alone puts the first where it is."""
    first = found["rows"][0]["method"]
    others = [f"{name} without {data}" for data, name in found["without"].items() if name != first]
    if not found["without"]:
        return f"{first} is first on the only data set; of others this says nothing."
    if others:
        return (
            f"One data set carries the first place of {first}; first would be {', '.join(others)}."
        )
    return f"{first} stays first whichever data set is left out."
