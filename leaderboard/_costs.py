"""What a method costs over a track."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from bench.runs.record import Record

from ._cells import SuiteCell
from ._classes import Classes
from ._rows import flops_of
from ._scores import MethodScores
from ._text import seconds


def cost_of(
    one: MethodScores, cells: Sequence[SuiteCell], classes: Classes, timed: str
) -> dict[str, Any]:
    """Return what one seed of all cells costs: the sum over cells of the median over seeds; None
    where a cell has no run that succeeded.

    Seconds are of the runs of the clock ``timed`` alone: those of two are not comparable.
    """
    ran = [
        [record for record in cell.runs[one.method].records if record.status == "ok"]
        if one.method in cell.runs
        else []
        for cell in cells
    ]
    whole = all(ran) and bool(cells)

    def summed(of: Any, ran: Sequence[Sequence[Record]] = ran) -> float | None:
        figures = [[of(record) for record in records] for records in ran]
        if (
            not all(ran)
            or not cells
            or any(figure is None for figures_of_cell in figures for figure in figures_of_cell)
        ):
            return None
        return round(float(sum(median(group) for group in figures)), 6)

    operations = [flops_of(records) for records in ran]
    counted = whole and all(found["flops"] is not None for found in operations)
    memory = [record.cost.get("peak_rss_mb") for records in ran for record in records]
    return {
        "seconds": summed(
            lambda record: seconds(record.cost, record.device),
            [[one for one in group if classes.clock(one) == timed] for group in ran],
        ),
        "visits": summed(
            lambda record: record.counters.get("forward", 0) + record.counters.get("backward", 0)
        ),
        "flops": sum(found["flops"] for found in operations) if counted else None,
        "uncounted": "; ".join(
            sorted(
                {name for found in operations for name in found["uncounted"].split("; ") if name}
            )
        ),
        "peak_rss_mb": max((figure for figure in memory if figure is not None), default=None),
    }
