"""What is said of rows against the best plain baseline of their track."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WORDS = {
    "better": "better than",
    "worse": "worse than",
    "same": "within delta of",
    "undecided": "not separable from",
}


def against_plain(row: Mapping[str, Any], best: str) -> str:
    """Say how a row stands to the best plain baseline, as ``worse than the best plain baseline
    (knn)``; empty: it is that, or has no place.
    """
    return (
        f"{WORDS[row['vs_plain']['verdict']]} the best plain baseline ({best})"
        if row["vs_plain"]
        else ""
    )


def plain_lines(track: Mapping[str, Any]) -> list[str]:
    """Say who is better than the best plain baseline of a track, who can't be separated from it,
    and who is worse; nothing where there is none.
    """
    best, groups = track["best_plain"], dict[str, list[str]]()
    for row in track["rows"]:
        if row["vs_plain"]:
            groups.setdefault(row["vs_plain"]["verdict"], []).append(row["method"])
    said = {
        "better": "Better than it",
        "same": "Within delta of it",
        "undecided": "Not separable from it",
        "worse": "Worse",
    }
    parts = [
        f"{words}: {', '.join(groups[word])}." for word, words in said.items() if word in groups
    ]
    return [" ".join([f"The best plain baseline is {best}.", *parts])] if best else []
