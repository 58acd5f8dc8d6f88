"""The first places of tracks over nights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import _charts


def nights(history: Sequence[Mapping[str, Any]], board: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the chart of every track's first place over nights; None: one night is no history.

    Neither suites nor tiers ever share a line.
    """
    suite = board["suite"]
    mine = [
        row
        for row in history
        if (row["suite"], row["tier"]) == (suite["name"], suite["tier"])
        and row["score"] is not None
    ]
    if len({row["night"] for row in mine}) < 2:
        return None
    best: dict[str, str] = {
        track["track"]: track["rows"][0]["method"]
        for track in board["tracks"]
        if track["rows"] and track["rows"][0]["place"]
    }
    values = [
        {
            "method": f"{row['track']}: {row['method']}",
            "night": row["night"],
            "y": round(row["score"], 4),
        }
        for row in mine
        if best.get(row["track"]) == row["method"]
    ]
    names = [f"{track}: {method}" for track, method in best.items()]
    spec = _charts.lines(values, names, "night", "night", "normalised score", temporal=True)
    return {
        "id": "nights",
        "title": "Over the nights",
        "about": "The score of each track's present leader. Scores of two suites, or of two "
        "tiers, never share a line.",
        "spec": spec,
    }
