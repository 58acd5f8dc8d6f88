"""Reading the records of a results folder: what of each is needed, or all of it."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from bench.digests import digest
from bench.errors import UsageError
from bench.plugins.cache_folder import cache_folder
from bench.runs.proofs import set_aside
from bench.runs.record import Brief, Record, RecordError, decode_record
from bench.runs.renewal_note import carried

if TYPE_CHECKING:
    from bench.runs.record_place import Place
    from bench.runs.store_index import StoreIndex

_Found = TypeVar("_Found")
_Aside = tuple[dict[str, tuple[Brief, str]], dict[str, str]]
_ELSEWHERE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
}
"""SQLite's codes that say that the place is bad, not the index: it is left
alone, and another is made in memory.
"""


class Damaged(msgspec.Struct, frozen=True):
    """A record that can't be read: it is left where it is, shown, and not used."""

    path: str
    reason: str


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Look for no garbage meanwhile: going through a hundred thousand records again and again, none
    of which is garbage, takes a third of the time.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class RecordReader:
    """Reads the records of one folder, by way of its index."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.damaged: list[Damaged] = []
        self.withdrawn: dict[str, tuple[Brief, str]] = {}
        """Renewed records that no longer count, and why, after :meth:`briefs`: id -> both."""
        self._exported: dict[str, int] = {}

    def briefs(self) -> list[Brief]:
        """Return what boards and plans need of every readable record; the others go to
        :attr:`damaged`.

        Records of one id are returned once; renewed ones that were withdrawn, or that are not what
        their run recorded, not at all.
        """

        def use(index: StoreIndex) -> tuple[dict[str, Brief], list[Damaged], _Aside]:
            found: dict[str, Brief] = {}
            clashes = []
            for brief in index.briefs():
                if found.setdefault(brief.id, brief).content != brief.content:
                    clashes.append(
                        Damaged(
                            brief.id,
                            "records of this id differ; the one in records/, else in the first "
                            "export, is used",
                        )
                    )
            aside = set_aside(self.root, found.values(), functools.partial(self._carried, index))
            return found, clashes, aside

        with collector_paused():
            found, clashes, (self.withdrawn, refused) = self.ask(use)
        self.damaged += clashes
        self.damaged += [Damaged(name, reason) for name, reason in refused.items()]
        aside = {*self.withdrawn, *refused}
        return [brief for name, brief in found.items() if name not in aside]

    def _carried(self, index: StoreIndex, runs: Sequence[Brief]) -> dict[str, str]:
        """Return the digests of what renewals carry over from runs, by content, of those that can
        be read. The index keeps them in parts, so that one more run is one part to make anew.
        """
        parts: dict[str, dict[str, str]] = {}
        for run in sorted(runs, key=lambda run: run.content):
            parts.setdefault(run.content[:2], {})[run.content] = run.id
        places = functools.cache(lambda: {place.name: place for place in index.places()})

        def digests(part: dict[str, str]) -> dict[str, str]:
            found = {}
            for content, name in part.items():
                with contextlib.suppress(RecordError, KeyError):  # it is gone meanwhile
                    found[content] = carried(self.load(places()[name]))
            return found

        found: dict[str, str] = {}
        for part in parts.values():
            name = f"carried {digest(list(part))}"
            found |= index.memo(name, functools.partial(digests, part))
        return found

    def read(self) -> list[Record]:
        """Return every readable record whole; the others go to :attr:`damaged`.

        Records of one id are returned once.
        """
        return list(self.stream())

    def stream(self, chosen: Callable[[Brief], bool] = lambda _: True) -> Iterator[Record]:
        """Yield the chosen records whole, one at a time and by id."""
        names = {brief.id for brief in self.briefs() if chosen(brief)}
        damaged = self.damaged
        for name, place in self.places().items():
            if name in names:
                try:
                    yield self.load(place)
                except RecordError as error:
                    damaged.append(Damaged(self._shown(place.path, place.line), str(error)))
        self.damaged = damaged

    def places(self, beginning: str = "") -> dict[str, Place]:
        """Return where the records lie whose ids begin with ``beginning``:
        id -> place, sorted by id.
        """
        return dict(
            sorted({place.name: place for place in reversed(self.all_places(beginning))}.items())
        )

    def all_places(self, beginning: str = "") -> list[Place]:
        """Return where every record lies: of ``records/`` first, then of
        exports; several of one id included.
        """
        return self.ask(lambda index: index.places(beginning))

    def load(self, place: Place) -> Record:
        """Return the record that lies at ``place``.

        Raises:
            RecordError: it is no longer there, or no longer what it was.
        """
        try:
            with (self.root / place.path).open("rb") as file:
                file.seek(place.start)
                return decode_record(file.read(place.length))
        except OSError as error:
            raise RecordError(f"it can't be read ({error.strerror})") from None

    def find(self, name: str) -> Record:
        """Return the record of an id, a unique beginning of one, or a path to a file.

        Raises:
            UsageError: none, or several. RecordError: it is damaged.
        """
        path = Path(name)
        if path.suffix == ".json" or path.is_file():
            try:
                return decode_record(path.read_bytes())
            except OSError as error:
                raise UsageError(
                    f"no record at {name!r} ({error.strerror}); give a record's id or its file."
                ) from None
            except RecordError as error:
                raise RecordError(f"the record {name!r} can't be used: {error}.") from None
        records = sorted(
            (self.load(place) for place in self.places(name).values()),
            key=lambda record: record.attempt,
        )
        if not records or len({(record.cell, record.key) for record in records}) > 1:
            count = "no record" if not records else f"{len(records)} records"
            raise UsageError(
                f"{count} in {str(self.root)!r} begin{'s' * (not records)} with {name!r}; 'bench "
                "leaderboard --json' lists their ids."
            )
        return records[-1]

    def ask(self, use: Callable[[StoreIndex], _Found], refresh: bool = True) -> _Found:
        """Return ``use(index)`` with an index that agrees with the folder or, without ``refresh``,
        agreed with it when it was last asked.

        One that is damaged is made anew; where it can't be kept, it is made in memory.
        """
        from bench.runs.store_index import FORMAT, StoreIndex

        def tried(file: Path | None) -> _Found:
            with StoreIndex(self.root, file, refresh) as index:
                found = use(index)
                if refresh:
                    self.damaged = [
                        Damaged(self._shown(path, line), reason)
                        for path, line, reason in index.damaged()
                    ]
                    self._exported = index.exported()
            return found

        name = blake2b(os.fsencode(self.root.resolve()), digest_size=16).hexdigest()
        file = cache_folder() / "results" / f"{name}-{FORMAT:08x}.sqlite"
        for _ in range(2 if self.root.is_dir() else 0):
            try:
                return tried(file)
            except OSError:
                break
            except sqlite3.Error as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF in _ELSEWHERE:
                    break
                for part in ("-wal", "-shm", ""):
                    with contextlib.suppress(OSError):
                        Path(f"{file}{part}").unlink()
        return tried(None)

    def _shown(self, path: str, line: int) -> str:
        text = f"{self.root / path}{f', line {line}' if line else ''}"
        return text if text.isprintable() else ascii(text)
