"""Whether the data that records were made of is still what it was: told by
the index of data, or by loading it in a process aside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from bench.errors import BenchError
from bench.plugins.cache_folder import cache_folder
from bench.runs.data_calls import FILE, parse_call
from bench.runs.data_index import DataIndex, State, Want, changes_said
from bench.runs.keys import Keys, targets_of
from bench.runs.plan import Cell
from bench.runs.user_files import file_targets, index_name, place

Status = Literal["same", "other", "unknown", "unavailable"]


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What came of loading a call for a cell: its fingerprint; or why the data is not on this
    machine; or neither, where the load failed.
    """

    cell: str
    call: str
    fingerprint: str = ""
    absent: str = ""
    drawn: bool = False


Load = Callable[[list[tuple[Cell, list[str]]]], Iterable[Loaded]]
"""Loads calls for cells."""


class _Known(msgspec.Struct):
    state: State
    absent: str = ""
    looked: bool = False


class DataStatus:
    """The data on this machine as it is now, each call looked at once a command."""

    def __init__(self, keys: Keys, cache: Path | None = None) -> None:
        """Look at data with the code and libraries that ``keys`` knows of;
        ``cache``: the cache folder.
        """
        self._keys, self._index = keys, DataIndex(cache or cache_folder())
        self._wants: dict[tuple[str, str, str], Want | None] = {}
        self._calls: dict[tuple[str, str, str, str, int], _Known] = {}
        self._seen: dict[str, _Known | None] = {}  # None: it differs by task and seed
        self._files: dict[str, str] = {}
        self._places: dict[str, dict[str, str]] = {}

    def status(self, cell: Cell, data: Mapping[str, str] | None) -> Status:
        """Say how the data of a record stands: ``unknown`` where only a load can tell."""
        found: Status = "same"
        for call, fingerprint in (data or {}).items():
            now = self._at(cell, call)
            if now.absent:
                return "unavailable"
            if now.state.fingerprint != fingerprint:
                if now.state.fingerprint or now.looked:
                    return "other"
                found = "unknown"
        return found

    def state(self, cell: Cell, call: str) -> State:
        """Return what is known of a call now: of a file that was opened itself, its digest."""
        return self._at(cell, call).state

    def absent(self, cell: Cell, data: Mapping[str, str]) -> str:
        """Return why data is not on this machine, where a look found that; else nothing."""
        return next((reason for call in data if (reason := self._at(cell, call).absent)), "")

    def look(self, wanted: Iterable[tuple[Cell, str]], load: Load) -> None:
        """Load what is not known, each call once, and know it from now on."""
        wanted = list(wanted)
        for _ in range(2):  # that a call differs by task and seed shows when it is loaded once
            asked: dict[str, tuple[Cell, str]] = {}
            for cell, call in wanted:
                now, want = self._at(cell, call), self._want(cell, call)
                if want is not None and not now.state.fingerprint and not now.looked:
                    asked.setdefault(
                        want.identity(drawn=self._seen.get(want.identity(), now) is None),
                        (cell, call),
                    )
            groups: dict[str, tuple[Cell, list[str]]] = {}
            for cell, call in asked.values():
                groups.setdefault(cell.spec.cell, (cell, []))[1].append(call)
            if not groups:
                return
            for found in load(list(groups.values())):
                self._take(groups[found.cell][0], found)
            self._calls.clear()

    def _take(self, cell: Cell, found: Loaded) -> None:
        want = self._want(cell, found.call)
        assert want is not None
        seen = _Known(
            State(found.fingerprint, self.state(cell, found.call).changed),
            found.absent,
            looked=True,
        )
        if found.drawn:
            self._seen[want.identity()], self._seen[want.identity(drawn=True)] = None, seen
        else:
            self._seen[want.identity()] = seen

    def _at(self, cell: Cell, call: str) -> _Known:
        spec = cell.spec
        name = (call, spec.device, spec.track, spec.task, spec.seed)
        if name not in self._calls:
            self._calls[name] = (
                self._file(cell, call) if call.startswith(FILE) else self._found(cell, call)
            )
        return self._calls[name]

    def _found(self, cell: Cell, call: str) -> _Known:
        want = self._want(cell, call)
        if want is None:
            return _Known(State("", [f"the dataset of {call} is gone"]), looked=True)
        general = want.identity()
        if general not in self._seen:
            self._seen[general] = (
                None if self._index.draws(want) else _Known(self._index.state(want))
            )
        if (seen := self._seen[general]) is not None:
            return seen
        own = want.identity(drawn=True)
        if own not in self._seen:
            self._seen[own] = _Known(self._index.state(want))
        found = self._seen[own]
        assert found is not None
        return found

    def _want(self, cell: Cell, call: str) -> Want | None:
        """Return a call as the index knows it; None where its dataset or
        a parameter is not here any more.
        """
        if call.startswith(FILE):
            return None
        name = (call, cell.spec.device, cell.task.target.path)
        if name not in self._wants:
            try:
                self._wants[name] = self._keys.want(cell, *parse_call(call))
            except BenchError:
                self._wants[name] = None
        want, stream = self._wants[name], (f"{cell.spec.track}/{cell.spec.task}", cell.spec.seed)
        return (
            want
            if want is None or want.stream == stream
            else msgspec.structs.replace(want, stream=stream)
        )

    def _file(self, cell: Cell, call: str) -> _Known:
        targets = file_targets(*targets_of(cell))
        name = index_name(targets)
        if name not in self._places:
            self._places[name] = self._index.places(name)
        path = self._places[name].get(call) or place(call, targets)
        if path and path not in self._files:
            self._files[path] = self._index.content(path)
        return _Known(State(self._files[path] if path else ""), looked=True)

    def what_changed(self, cell: Cell, data: Mapping[str, str]) -> list[str]:
        """Say in words which of a record's data is no longer what it was, and by which files."""
        said = []
        for call, fingerprint in data.items():
            now = self._at(cell, call)
            if now.state.fingerprint == fingerprint:
                continue
            if call.startswith(FILE):
                said.append(
                    f"the file {call.removeprefix(FILE)} "
                    f"{'changed' if now.state.fingerprint else 'is gone'}"
                )
                continue
            want = self._want(cell, call)
            changed = (
                self._index.differing(want, fingerprint)
                if want is not None and now.state.fingerprint
                else []
            ) or now.state.changed
            files = f" ({changes_said(changed)})" if changed else ""
            if now.absent:
                said.append(f"the data of {call} is not on this machine: {now.absent}")
            elif now.state.fingerprint or want is None:
                said.append(f"the data of {call} changed{files}")
            elif now.looked:
                said.append(f"the data of {call} can't be loaded{files}")
            else:
                said.append(f"the data of {call} may have changed{files}: not looked at")
        return said
