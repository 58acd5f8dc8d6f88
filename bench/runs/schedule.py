"""How long runs are expected to take, from the records of earlier ones: the longest goes first, so
that none is left alone at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from bench.runs.plan import Cell
from bench.runs.record import Record

T = TypeVar("T")
_PARTS = ("prepare_s", "solve_s", "report_s", "evaluate_s")


class Expected:
    """Seconds to expect of a run: the mean of its group's records; else of its method's on that
    variant; else of any on that variant.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._sums: dict[Any, tuple[float, int]] = {}
        for record in records:
            if record.status != "interrupted":
                seconds = seconds_of(record)
                for name in _names(record, record.group):
                    total, count = self._sums.get(name, (0.0, 0))
                    self._sums[name] = total + seconds, count + 1

    def of(self, cell: Cell) -> float:
        """Return the seconds; where nothing like it was ever run, its
        limit, so that it comes first.
        """
        for name in _names(cell.spec, cell.spec.group):
            if name in self._sums:
                return self._mean(name)
        return cell.timeout

    def recorded(self, cell: Cell) -> float | None:
        """Return the mean seconds of the records of the cell's own group; None: there is none."""
        return self._mean(cell.spec.group) if cell.spec.group in self._sums else None

    def _mean(self, name: Any) -> float:
        total, count = self._sums[name]
        return total / count


def longest_first(jobs: Iterable[Sequence[T]], seconds: Callable[[T], float]) -> list[Sequence[T]]:
    """Return jobs, each a few runs, in the order in which they are sent
    out, by what is expected of a run.
    """
    return sorted(jobs, key=lambda job: -sum(map(seconds, job)))


def _names(item: Any, group: str) -> tuple[Any, ...]:
    place = (item.track, item.task, item.preset, item.variant, item.device)
    return group, (*place, item.method), place


def seconds_of(record: Record) -> float:
    """Return the seconds that a run took of a place."""
    if record.status == "ok":  # of a stack its times are shared out, its beginning and end are not
        return sum(record.cost.get(name) or 0.0 for name in _PARTS) - (
            record.cost.get("artifact_s") or 0.0
        )
    try:
        return max(
            0.0,
            (
                datetime.fromisoformat(record.ended) - datetime.fromisoformat(record.started)
            ).total_seconds(),
        )
    except (ValueError, TypeError):  # a record from elsewhere without times
        return 0.0
