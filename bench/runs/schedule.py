"""How long runs are expected to take, from the records of earlier ones and of those that ended
meanwhile: the longest goes first, so that none is left alone at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from bench.runs.keys import Keyed
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
            self.add(record)

    def add(self, record: Record) -> None:
        """Learn from a run."""
        if record.status == "interrupted":
            return
        seconds = seconds_of(record)
        for name in (*_names(record, record.group), _method(record)):
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = total + seconds, count + 1

    def of(self, cell: Cell) -> float:
        """Return the seconds; where nothing like it was ever run, its limit."""
        return self._first(_names(cell.spec, cell.spec.group), cell)

    def priority(self, cell: Cell) -> float:
        """Return the seconds by which a run is sent out: what other methods took on its variant
        says little of it, what it took elsewhere on the track says more. Of a method that was never
        run it is the limit, so that it is tried early.
        """
        own, on_variant, _ = _names(cell.spec, cell.spec.group)
        return self._first((own, on_variant, _method(cell.spec)), cell)

    def _first(self, names: Iterable[Any], cell: Cell) -> float:
        return next((self._mean(name) for name in names if name in self._sums), cell.timeout)

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


class Waiting:
    """The order of jobs that wait, as more is learned of what they take."""

    def __init__(self, expected: Expected) -> None:
        self.expected = expected
        self._ended = 0

    def learn(self, record: Record) -> None:
        """Take a run into account that has ended."""
        self.expected.add(record)
        self._ended += 1

    def sorted(self, jobs: Sequence[Sequence[Keyed]]) -> Sequence[Sequence[Keyed]]:
        """Return jobs, the longest first; as they are while fewer runs have ended since than a
        twentieth of the jobs: to sort thousands after every run would cost more than it saves.
        """
        if 20 * self._ended < len(jobs):
            return jobs
        self._ended = 0
        return longest_first(jobs, lambda keyed: self.expected.priority(keyed.cell))


def _names(item: Any, group: str) -> tuple[Any, ...]:
    place = (item.track, item.task, item.preset, item.variant, item.device)
    return group, (*place, item.method), place


def _method(item: Any) -> tuple[Any, ...]:
    return item.track, item.preset, item.device, item.method


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
