"""Commands that the board's notes end with: every word as a shell takes it."""

from __future__ import annotations

from collections.abc import Iterable

from bench.texts import shell_word


def bench_run(options: Iterable[tuple[str, object]]) -> str:
    """Return ``bench run`` with options and their values; records may hold any text."""
    return " ".join(["bench run", *(f"{name} {shell_word(str(value))}" for name, value in options)])
