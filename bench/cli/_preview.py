"""What a dry run shows: a row for each row of the board, and what is not run with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.cli._board import not_looked_at
from bench.cli._grouped import not_run_lines
from bench.cli._options import table
from bench.params import render_call

if TYPE_CHECKING:
    from bench.cli._session import Prepared
    from bench.runs.limits import Limits
    from bench.runs.plan import Cell


def rows(prepared: Prepared, limits: Limits) -> list[dict[str, Any]]:
    """Return what would run as plain data: a row for each set of cells
    that differ in their seed alone.
    """
    recorded = {record.cell for record in prepared.done}
    wanted = {keyed.cell.spec.cell for keyed in prepared.todo}
    groups: dict[str, list[Cell]] = {}
    for cell in prepared.plan.cells:
        groups.setdefault(cell.spec.group, []).append(cell)
    found = []
    for cells in groups.values():
        spec = cells[0].spec
        known = sum(cell.spec.cell in recorded for cell in cells)
        defaults = cells[0].method.params if cells[0].method else {}
        origin = {
            name: "default" if value == defaults[name].default else "command line"
            for name, value in spec.params.items()
        }
        found.append(
            {
                "track": spec.track,
                "method": spec.method,
                "params": spec.params,
                "origin": origin,
                "task": spec.task,
                "preset": spec.preset,
                "variant": spec.variant,
                "seeds": [cell.spec.seed for cell in cells],
                "device": spec.device,
                "form": spec.form,
                "recorded": known,
                "to_run": sum(cell.spec.cell in wanted for cell in cells),
                "not_looked_at": sorted(
                    {call for cell in cells for call in prepared.not_looked.get(cell.spec.cell, ())}
                ),
                "limits": {
                    "wall": limits.wall or cells[0].timeout,
                    "cpu": limits.cpu,
                    "memory": limits.memory,
                    "gpu_memory": limits.gpu_memory,
                    "per_gpu": limits.per_gpu,
                },
            }
        )
    return found


def document(prepared: Prepared, limits: Limits) -> dict[str, Any]:
    """Return a dry run as a JSON document."""
    import msgspec

    return {
        "schema_version": 1,
        "cells": rows(prepared, limits),
        "not_run": [msgspec.to_builtins(item) for item in prepared.plan.not_run],
    }


def text(prepared: Prepared, limits: Limits, style: str = "simple") -> str:
    """Return a dry run as text, its table in a style of ``tabulate``."""
    lines = [
        [
            render_call(
                row["method"],
                {
                    name: value
                    for name, value in row["params"].items()
                    if row["origin"][name] != "default"
                },
            ),
            row["task"],
            row["variant"],
            len(row["seeds"]),
            row["device"],
            row["form"],
            f"{row['recorded']} ?" if row["not_looked_at"] else row["recorded"],
            row["to_run"],
        ]
        for row in rows(prepared, limits)
    ]
    cells, done, todo = prepared.plan.cells, prepared.done, prepared.todo
    left = len(cells) - len(done) - len(todo)
    said = [
        table(
            lines,
            ["method", "task", "variant", "seeds", "device", "form", "recorded", "to run"],
            style,
        ),
        "",
        (
            f"{len(cells)} run{'s' * (len(cells) != 1)}: {len(done)} recorded, {len(todo)} to "
            f"run{f', {left} left out' if left else ''}."
        ),
    ]
    if prepared.not_looked:
        said.append(
            not_looked_at({call for calls in prepared.not_looked.values() for call in calls})
        )
    return "\n".join([*said, *not_run_lines(prepared.plan.not_run, "variants")])
