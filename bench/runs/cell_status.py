"""How a plan's cells stand: recorded with today's code, libraries and
data, or why they would run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from bench.runs.data_status import DataStatus
from bench.runs.keys import Keys
from bench.runs.plan import Cell
from bench.runs.record import Record
from bench.runs.store import latest


class CellStatus(msgspec.Struct, kw_only=True):
    """How a cell stands: ``failed``, ``stale`` and ``missing`` are those of
    :data:`bench.runs.select.STATUSES`.
    """

    status: Literal["recorded", "failed", "stale", "missing", "unavailable"]
    record: Record | None = None
    """The record that counts, of a cell that is recorded or failed."""
    unknown: list[str] = []
    """Calls of data that the record was made of and that nobody has looked at since."""
    reason: str = ""
    """Why its data is not on this machine."""


class Candidates:
    """The records that have today's code and libraries: whether they count
    depends on their data alone.
    """

    def __init__(self, keys: Keys, data_status: DataStatus, records: Sequence[Record]) -> None:
        self._keys, self._data_status = keys, data_status
        self._records: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            self._records[record.cell].append(record)
        self._changed: Counter[str] = Counter()

    def _of(self, cell: Cell) -> Iterable[Record]:
        name = cell.spec.cell
        if name not in self._records:
            return []
        return latest(
            record
            for record in self._records[name]
            if self._keys.key(cell, name, record.data) == record.key
        ).values()

    def wanted(self, cells: Iterable[Cell]) -> Iterator[tuple[Cell, str]]:
        """Yield the calls of data on which it hangs whether cells are recorded."""
        return (
            (cell, call)
            for cell in cells
            for record in self._of(cell)
            if record.status == "ok"
            for call in record.data or ()
        )

    def of(self, cell: Cell) -> CellStatus:
        """Say how a cell stands."""
        found: list[tuple[bool, bool, str, Record]] = []
        others: list[tuple[bool, bool, str, Record]] = []
        for record in self._of(cell):
            data = self._data_status.status(cell, record.data)
            if data == "unavailable" and record.status == "ok":
                return CellStatus(
                    status="unavailable", reason=self._data_status.absent(cell, record.data or {})
                )
            (others if data == "other" else found).append(
                (record.status == "ok", data == "same", record.ended, record)
            )
        if not found:
            if others:
                self._changed.update(
                    self._data_status.what_changed(
                        cell, max(others, key=lambda item: item[:3])[3].data or {}
                    )
                )
            return CellStatus(status="stale" if cell.spec.cell in self._records else "missing")
        good, same, _, record = max(found, key=lambda item: item[:3])
        unknown = (
            []
            if same
            else [
                call
                for call in record.data or ()
                if not self._data_status.state(cell, call).fingerprint
            ]
        )
        return CellStatus(status="recorded" if good else "failed", record=record, unknown=unknown)

    @property
    def changes(self) -> list[str]:
        """What changed in data, with how many cells that :meth:`of` looked at it bears on."""
        return [
            (
                f"{what}; {count} recorded {'run is' if count == 1 else 'runs are'} stale and "
                f"{'runs' if count == 1 else 'run'} again."
            )
            for what, count in self._changed.items()
        ]
