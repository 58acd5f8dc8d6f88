"""Rows of tables of published figures: what the command that runs them and the plugin that judges
them both have to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def needed(row: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return name -> method and cell of what a row needs: one, of an ordering two, else none.

    Args:
        row: as ``bench_papers`` lists it. By these names ``bench_published`` is told what is
            planned.
    """
    if not row["cell"]:
        return {}
    parts = [(row["method"], row["cell"])]
    if row["kind"] == "ordering":
        parts.append((row["below"], row["below_cell"]))
    return {f"{method} @ {cell}": (method, cell) for method, cell in parts}
