"""What is to be said of tables: of their null, of unlike environments, of
other problems of the same name, of a board without any.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from bench.cards import TaskCard
from bench.params import render_value
from bench.runs.record import Record

from ._null import without_null
from ._rows import differing


def table_notes(
    records: Sequence[Record], compared: Sequence[Record], card: TaskCard | None, primary: str
) -> list[str]:
    """Return what is to be said of a table.

    Args:
        records: those of the table.
        compared: those of them that are compared.
        card: the task's; None: it is not installed.
        primary: the name of the metric that the table is judged by.
    """
    first, notes = records[0], []
    if card is None:
        shown = (
            f"{primary!r} stands for the primary metric" if primary else "no record has a figure"
        )
        notes.append(
            f"The task {first.identity} is not installed: {shown}, and rows are in the order of "
            "their names."
        )
    elif said := without_null(records, card):
        notes.append(said)
    if names := differing(compared):
        notes.append(
            f"Not all runs had the same {', '.join(names)}: mind that when you compare small "
            "differences."
        )
    return notes


def tell_apart(tables: Sequence[dict[str, Any]]) -> None:
    """Say in the notes where tables of one name hold different problems:
    the task's parameters changed between the runs.
    """
    named: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for table in tables:
        named[tuple(table[key] for key in ("track", "task", "preset", "variant", "device"))].append(
            table
        )
    for group in named.values():
        for table in group:
            own = table["task_params"]
            changed = sorted(
                key
                for key, value in own.items()
                if any(
                    key not in other["task_params"] or other["task_params"][key] != value
                    for other in group
                )
            )
            if changed:
                table["notes"].append(
                    "Another table of this name has other task parameters; here "
                    f"{', '.join(f'{key}={render_value(own[key])}' for key in changed)}."
                )


def nothing(records: Sequence[Record]) -> str:
    """Say what there is instead where no record fits."""
    if not records:
        return "No records yet; run: bench run --method METHOD --task TASK (bench list names both)"
    held = sorted({f"{record.identity} ({record.preset})" for record in records})
    return (
        "No record fits what was asked for; there are records of "
        f"{', '.join(held[:6])}{' and more' if len(held) > 6 else ''}."
    )
