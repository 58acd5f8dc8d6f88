"""What to say of a table that has no row of its baseline to hold the others against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bench.cards import TaskCard
from bench.runs.record import Record

from ._commands import run_beside

_SHOWN = 200


def missing_baseline(records: Sequence[Record], card: TaskCard) -> str:
    """Return what is the matter with the baseline of a table, and the command that runs it on the
    same problem; empty: the task has none, or it is there.

    Args:
        records: those of the table.
        card: its task's.
    """
    low = next((reference.name for reference in card.references if reference.kind == "low"), "")
    runs = [record for record in records if record.reference == "low"]
    if not low or any(record.status == "ok" for record in runs):
        return ""
    command = _command(low, records)
    if not runs:
        return f"The baseline is missing; run: {command}"
    counts = ", ".join(
        f"{count} {status}"
        for status, count in Counter(record.status for record in runs).most_common()
    )
    error = runs[0].error
    said = " ".join(f"{error.type}: {error.message}".split())[:_SHOWN].rstrip(".") if error else ""
    return (
        f"The baseline ran, and none of its {len(runs)} runs can be used "
        f"({counts}{f'; {said}' if said else ''}). Fix that, and run: {command}"
    )


def _command(low: str, records: Sequence[Record]) -> str:
    """Return the command that runs the baseline on the variant of a table, for the seeds of the
    others.
    """
    seeds = sorted({record.seed for record in records})
    parts = []
    for seed in seeds:
        if parts and parts[-1][1] == seed - 1:
            parts[-1][1] = seed
        else:
            parts.append([seed, seed])
    listed = ",".join(f"{start}-{end}" for start, end in parts)
    return run_beside(records[0], f"{records[0].track}/{low}", listed)
