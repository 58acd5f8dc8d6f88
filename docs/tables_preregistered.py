"""Claims that were written down before the runs, and what became of them, as parts of the docs."""

from __future__ import annotations

import functools
import importlib
import sys
from types import ModuleType

from tables_cards import ROOT, registry

METHODS = ROOT / "tests" / "methods"


@functools.cache
def preregistered(track: str) -> str:
    """Return what tests/methods/TRACK/test_*_claims.py claim of a track, as a Markdown table."""
    sys.path.append(str(METHODS))
    claims = importlib.import_module("claims")
    errors = {
        (row.card.name, metric.name)
        for row in registry().rows("task")
        if row.card.track == track
        for metric in row.card.metrics
        if metric.direction == "min"
    }
    found: list[str] = []
    for module in tested(track):
        records = claims.committed(module.COMMITTED)
        if records:
            found += claims.lines(claims.gains(module.CLAIMS, records), errors)
    if not found:
        return "\nThe claims of this track have not been run yet.\n\n"
    head = [
        "| claim | task and variant | metric | difference (95 % interval) | adjusted p | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    return "\n" + "\n".join([*head, *found]) + "\n\n"


def tested(track: str) -> list[ModuleType]:
    """Return the test modules with claims of a track."""
    folder = METHODS / track.replace("-", "_")
    sys.path.append(str(folder))
    return [importlib.import_module(file.stem) for file in sorted(folder.glob("test_*_claims.py"))]
