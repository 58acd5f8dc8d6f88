"""What is said of a track's board: why it has no places, how much of it ran, what to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._cells import SuiteCell
from ._classes import Classes
from ._commands import bench_run
from ._suite_file import Fixed, Suite


def why_no_places(cells: Sequence[SuiteCell], suite: Suite, scored: Sequence[str]) -> str:
    """Say why the track as a whole has no places; empty: it has."""
    if drifted := next((cell.drift for cell in cells if cell.drift), ""):
        return f"the anchors drifted: {drifted}"
    if suite.seeds < 2:  # no anchor has a deviation, whatever is run
        return "one seed says nothing of the spread"
    if any(cell.anchors is None or not cell.anchors.complete(suite.seeds) for cell in cells):
        return "anchors are missing"
    return "" if scored else "every cell is thin"


def coverage(
    rows: Sequence[Mapping[str, Any]], cells: Sequence[SuiteCell], suite: Suite
) -> dict[str, int]:
    """Count runs: those that there should be, those that succeeded, and those that failed."""
    entries = [
        cell for row in rows for cell in row["cells"].values() if cell["word"] != "not_applicable"
    ]
    return {
        "methods": len(rows),
        "cells": len(cells),
        "expected": sum(cell["of"] for cell in entries),
        "ok": sum(cell["ok"] for cell in entries),
        "imputed": sum(cell["imputed"] for cell in entries),
    }


def track_notes(
    track: str, cells: Sequence[SuiteCell], suite: Suite, obstacle: str, classes: Classes
) -> list[str]:
    notes = [f"No places: {obstacle}."] if obstacle else []
    bare = [
        cell for cell in cells if cell.anchors is None or not cell.anchors.complete(suite.seeds)
    ]
    if bare and suite.seeds > 1:
        names = sorted(
            {side for cell in bare for side in cell.sides if not isinstance(side, Fixed)}
        )
        tasks = sorted({cell.task.task for cell in bare})
        command = " && ".join(
            bench_run(
                [
                    ("--track", track),
                    ("--method", ",".join(names)),
                    (
                        "--task",
                        ",".join(
                            sorted({one.task.task for one in bare if one.task.preset == preset})
                        ),
                    ),
                    ("--preset", preset),
                    ("--seeds", suite.seeds),
                    ("--device", suite.device),
                ]
            )
            for preset in sorted({cell.task.preset for cell in bare})
        )
        if any(cell.runs[name].aside for cell in bare for name in names if name in cell.runs):
            wanted = classes.named(
                record
                for cell in bare
                for entrant in cell.runs.values()
                for record in entrant.records
            )
            notes.append(
                f"The anchors of {', '.join(tasks)} ran on another class of machine than the "
                f"others; run, on a machine of {wanted}: {command}"
            )
        else:
            notes.append(f"The anchors of {', '.join(tasks)} have not all run; run: {command}")
    loose = sorted(
        {cell.task.task for cell in cells if cell.anchors and not cell.frozen}
        - {cell.task.task for cell in bare}
    )
    if loose:
        notes.append(
            f"The anchors of {', '.join(loose)} are not frozen yet: they are the runs at hand."
        )
    for cell in cells:
        notes += cell.notes
        if cell.thin and cell.runs:
            notes.append(
                f"{cell.task.task} {cell.variant} is thin, shown and not counted: {cell.thin}."
            )
    return notes
