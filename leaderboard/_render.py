"""Writing a board, a comparison or tables of published figures as Markdown, CSV, JSON or LaTeX.

The same board gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ._render_comparison import comparison_markdown
from ._render_tables import statuses, table_markdown
from ._render_tracks import track_markdown
from ._text import (
    as_csv,
    classes_text,
    escape,
)
from ._track_exports import track_latex

Row = Mapping[str, Any]


def render(board: Mapping[str, Any], format: str) -> str | None:
    """Write ``board`` as ``md``, ``json`` or ``csv``, its tracks as
    ``latex``; None for another format.
    """
    if format == "json":
        return msgspec.json.format(msgspec.json.encode(board), indent=1).decode() + "\n"
    if board["kind"] == "papers":
        return _papers(board, format)
    if format == "csv":
        return as_csv(board["rows"] if board["kind"] == "comparison" else _flat(board["tables"]))
    if format == "md":
        blocks = (
            [comparison_markdown(board)]
            if board["kind"] == "comparison"
            else [*_tracks(board), *(table_markdown(table) for table in board["tables"])]
        )
        classes = [classes_text(board["classes"])] if board["kind"] == "board" else []
        return (
            "\n\n".join(
                [
                    *filter(None, blocks),
                    *(escape(note) for note in (*filter(None, classes), *board["notes"])),
                ]
            )
            + "\n"
        )
    if format == "latex" and board["kind"] == "board":
        return "\n\n".join(track_latex(track, board["suite"]) for track in board["tracks"]) + "\n"
    return None


def _papers(document: Row, format: str) -> str | None:
    from ._render_papers import papers_markdown, papers_page

    writers = {"md": papers_markdown, "page": papers_page}
    return writers[format](document) if format in writers else None


def _tracks(board: Row) -> list[str]:
    return [track_markdown(track, board["suite"]) for track in board["tracks"]]


def _flat(tables: Sequence[Row]) -> list[dict[str, Any]]:
    """Return one flat mapping a row of the board; nested figures get dotted names."""
    lines = []
    for table in tables:
        place = {key: table[key] for key in ("track", "task", "preset", "variant", "device")}
        place |= {f"primary.{key}": table["primary"][key] for key in ("name", "direction", "unit")}
        for row in table["rows"]:
            plain = {
                key: value
                for key, value in row.items()
                if key
                not in (
                    "params",
                    "record_ids",
                    "metrics",
                    "worst",
                    "warnings",
                    "cost",
                    "statuses",
                    "needs",
                    "vs_low",
                    "range",
                )
            }
            plain |= dict(
                zip(("range.low", "range.high"), row["range"] or (None, None), strict=True)
            )
            joined = {
                "params": json.dumps(row["params"], sort_keys=True),
                "statuses": statuses(row),
                "needs": " ".join(row["needs"]),
                "warnings": "; ".join(row["warnings"]),
                "record_ids": " ".join(row["record_ids"]),
            }
            difference = row["vs_low"] or dict.fromkeys(("mean", "low", "high", "p", "p_holm", "n"))
            nested = {
                f"{group}.{name}": value
                for group, values in (
                    ("vs_low", difference),
                    ("cost", row["cost"]),
                    ("metrics", row["metrics"]),
                    ("worst", row["worst"]),
                )
                for name, value in values.items()
            }
            lines.append({**place, **plain, **joined, **nested})
    return lines
