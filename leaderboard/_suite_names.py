"""What the names of suites say: those of a series follow each other by their numbers."""

from __future__ import annotations

import re


def series(name: str) -> str:
    """Return what the names of a series share: ``real`` of ``real-1``, nothing of ``2026.4``."""
    return name.rstrip("0123456789.").rstrip("-_")


def age(name: str) -> tuple[int, ...]:
    """Return what suites of a series are ordered by: 2026.10 is newer than 2026.9."""
    return tuple(map(int, re.findall(r"\d+", name.removeprefix(series(name)))))
