"""Commands that the board's notes end with: every word as a shell takes it."""

from __future__ import annotations

from collections.abc import Iterable

from bench.runs.record import Record
from bench.texts import shell_word


def bench_run(options: Iterable[tuple[str, object]]) -> str:
    """Return ``bench run`` with options and their values; records may hold any text."""
    return " ".join(["bench run", *(f"{name} {shell_word(str(value))}" for name, value in options)])


def run_beside(record: Record, method: str, seeds: str) -> str:
    """Return the command that runs a method on the variant of a record, its parameters in brackets
    included.
    """
    name, bracket, inside = record.variant.partition("[")
    return bench_run(
        [
            ("--method", method),
            ("--task", f"{record.identity}{bracket}{inside}"),
            ("--preset", record.preset),
            ("--variant", name),
            ("--seeds", seeds),
            ("--device", record.device),
        ]
    )
