"""What is to be said of tables: of their baseline, of unlike environments, of
other problems of the same name, of a board without any.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from bench.cards import TaskCard
from bench.params import render_value
from bench.runs.record import Record

from ._baseline import missing_baseline
from ._rows import differing
from ._suite_file import Suite
from ._text import counted


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
    elif said := missing_baseline(records, card):
        notes.append(said)
    if names := differing(compared):
        notes.append(
            f"Not all runs had the same {', '.join(names)}: mind that when you compare small "
            "differences."
        )
    return notes


def note_other_problems(tables: Sequence[dict[str, Any]]) -> None:
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


def no_records(records: Sequence[Record]) -> str:
    """Say what there is instead where no record fits."""
    if not records:
        return "No records yet; run: bench run --method METHOD --task TASK (bench list names both)"
    held = sorted({f"{record.identity} ({record.preset})" for record in records})
    return (
        "No record fits what was asked for; there are records of "
        f"{', '.join(held[:6])}{' and more' if len(held) > 6 else ''}."
    )


def left_out(trials: int, invalid: Sequence[str], unused: int, suite: Suite) -> list[str]:
    """Say how many records a board does not use, and why.

    Args:
        trials: how many are trials of ``--tune``.
        invalid: those with a figure outside the bounds of its metric.
        unused: how many have a seed that the tier does not have.
        suite: the suite in its tier.
    """
    notes = []
    if trials:
        are = "are" if trials > 1 else "is"
        notes.append(f"{counted(trials, 'trial run')} of --tune {are} left out.")
    if invalid:
        more = " and more" if len(invalid) > 5 else ""
        notes.append(
            "Left out as invalid, with figures outside their metrics' bounds: "
            f"{', '.join(invalid[:5])}{more}."
        )
    if unused:
        are = "are" if unused > 1 else "is"
        notes.append(
            f"{counted(unused, 'record')} of other seeds than 0 to {suite.seeds - 1} {are} not "
            f"used in the tier {suite.tier}."
        )
    return notes
