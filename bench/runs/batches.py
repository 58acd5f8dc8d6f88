"""Cells as jobs: which seeds are solved in one pass."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.runs.plan import Cell

_STACK = 8
"""Most seeds in one stack: on the CPU more of them no longer fit its cache."""


def batches(cells: Sequence[Cell], parallel: int) -> list[list[Cell]]:
    """Group cells into jobs: the seeds of one stacked cell in even parts of at most eight, every
    other cell by itself.

    A stacked seed's bits do not depend on its neighbours, so parts may be cut as it suits the
    processors.
    """
    stacks: dict[str, list[Cell]] = {}
    jobs: list[list[Cell]] = []
    for cell in cells:
        if cell.spec.form == "stacked":
            if cell.spec.group not in stacks:
                jobs.append(stacks.setdefault(cell.spec.group, []))
            stacks[cell.spec.group].append(cell)
        else:
            jobs.append([cell])
    largest = min(_STACK, max(2, math.ceil(len(cells) / parallel)))
    return [part for job in jobs for part in _even_parts(job, largest)]


def _even_parts(job: list[Cell], largest: int) -> list[list[Cell]]:
    count = math.ceil(len(job) / largest)
    size = math.ceil(len(job) / count)
    return [job[start : start + size] for start in range(0, len(job), size)]
