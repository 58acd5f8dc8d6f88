"""Writing what each dataset of a track gives: as Markdown, and for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._text import Column, counted, escape, grid, number

HEAD = "By dataset, and over datasets"


def datasets_markdown(found: Mapping[str, Any]) -> list[str]:
    """Return the heading, the table and the sentences of a track by dataset."""
    columns = [
        (escape(head), side, [escape(cell) for cell in cells])
        for head, side, cells in _columns(found)
    ]
    for place, best in enumerate(_best(found), 1):
        cells = columns[place][2]
        cells[best] = f"**{cells[best]}**"
    return [f"### {HEAD}", _about(found), grid(columns), escape(carried(found))]


def datasets_panel(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same as plain data; ``bold`` of a cell: it is the best of its dataset."""
    columns, best = _columns(found), _best(found)
    rows = [
        [
            {"text": cells[row], "bold": 0 < place <= len(best) and best[place - 1] == row}
            for place, (_, _, cells) in enumerate(columns)
        ]
        for row in range(len(found["rows"]))
    ]
    return {
        "head": HEAD,
        "about": _about(found),
        "heads": [head for head, _, _ in columns],
        "rows": rows,
        "said": carried(found),
    }


def carried(found: Mapping[str, Any]) -> str:
    """Say whether one dataset alone puts the first where it is."""
    first = found["rows"][0]["method"]
    others = [f"{name} without {data}" for data, name in found["without"].items() if name != first]
    if not found["without"]:
        return f"{first} is first on the only dataset; of others this says nothing."
    if others:
        return (
            f"One dataset carries the first place of {first}; first would be {', '.join(others)}."
        )
    return f"{first} stays first whichever dataset is left out."


def _about(found: Mapping[str, Any]) -> str:
    return (
        f"Mean normalised score on each of {counted(len(found['datasets']), 'dataset')} (bold: "
        "the best), and the mean over them with a 95 % t interval over datasets: what another set "
        "of the kind would give."
    )


def _best(found: Mapping[str, Any]) -> list[int]:
    """Return the row of each dataset's leader."""
    names = [row["method"] for row in found["rows"]]
    return [names.index(found["leaders"][name]) for name in found["datasets"]]


def _columns(found: Mapping[str, Any]) -> list[Column]:
    rows = found["rows"]
    behind = [_with_ends(row, "behind", "behind_low", "behind_high") for row in rows[1:]]
    return [
        ("method", "left", [row["method"] for row in rows]),
        *(
            (name, "right", [number(row["scores"][place], 3) for row in rows])
            for place, name in enumerate(found["datasets"])
        ),
        (
            "mean [95 % over datasets]",
            "right",
            [_with_ends(row, "mean", "low", "high") for row in rows],
        ),
        ("behind the first [95 %]", "right", ["—", *behind]),
        ("ahead of it on", "left", [", ".join(row["ahead_on"]) or "—" for row in rows]),
    ]


def _with_ends(row: Mapping[str, Any], name: str, low: str, high: str) -> str:
    ends = "" if row[low] is None else f" [{number(row[low], 3)}, {number(row[high], 3)}]"
    return number(row[name], 3) + ends
