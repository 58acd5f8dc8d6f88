"""Which runs of a plan are counted: one seed of each row, the lowest that
runs, unless the row has a count already.
"""

from __future__ import annotations

from collections.abc import Iterable

from bench.plugins.registry import task_card
from bench.runs.plan import Cell
from bench.runs.record import Record


def to_count(todo: Iterable[Cell], done: Iterable[Record]) -> set[str]:
    """Return the cells to count; of tasks whose runs differ in length by their seed, all of them.

    Args:
        todo: cells that are about to run.
        done: records of the plan's other cells, made by the code and on the kind of machine that is
            used now.
    """
    counted = {record.group for record in done if record.flops is not None}
    lowest: dict[str, Cell] = {}
    every = set()
    for cell in todo:
        group = cell.spec.group
        if task_card(cell.task).lengths_vary:
            every.add(cell.spec.cell)
        elif group not in counted and (
            group not in lowest or cell.spec.seed < lowest[group].spec.seed
        ):
            lowest[group] = cell
    return every | {cell.spec.cell for cell in lowest.values()}
