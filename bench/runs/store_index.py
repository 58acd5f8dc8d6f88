"""The index of a results folder: what boards and plans need of every record, in SQLite.

It is disposable. The JSON records are the truth; a file whose stamp changed is read anew, and an
index that is damaged, locked or can't be written costs time and nothing else. It lies in the cache
(a results folder may be read-only, or on a network drive, where SQLite's WAL does not work), one
file a results folder.
"""

from __future__ import annotations

import itertools
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import msgspec

from bench.runs import store_reading as reading
from bench.runs.record import SCHEMA_VERSION, Brief, Failure, Flops
from bench.runs.record_place import Place
from bench.runs.renewal_note import Renewed

LAYOUT = 5
"""Raise it when a table or the meaning of a row changes, or a record is refused that was not."""

FORMAT = zlib.crc32(repr((LAYOUT, SCHEMA_VERSION, reading.KEPT)).encode()) & 0x7FFFFFFF
"""What an index was made for.

Another version of bench, which keeps other fields, has an index of its own.
"""

_TABLES = """
CREATE TABLE file (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, mtime INTEGER,
                   ctime INTEGER, size INTEGER, entries INTEGER);
CREATE TABLE shared (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, body BLOB);
CREATE TABLE record (file INTEGER, line INTEGER, start INTEGER, length INTEGER, name TEXT,
                     digest BLOB, part INTEGER, origin INTEGER, body BLOB, crc INTEGER,
                     PRIMARY KEY (file, line)) WITHOUT ROWID;
CREATE TABLE damaged (file INTEGER, line INTEGER, reason TEXT);
CREATE TABLE memo (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, body BLOB);
"""
_BATCH = 1000
_MEMOS = 5000
_unpack = msgspec.msgpack.Decoder().decode


class DamagedIndex(sqlite3.DatabaseError):
    """The index contradicts itself."""


class StoreIndex:
    """An index that is open.

    ``file`` None: in memory, for this process alone; ``refresh`` False: as it was left, without a
    look at the folder.
    """

    def __init__(self, root: Path, file: Path | None, refresh: bool = True) -> None:
        self._root, self._file, self._looks = root, file, refresh
        self._shared: dict[bytes, int] = {}

    def __enter__(self) -> Self:
        """Open it, and read every file that changed.

        Raises:
            sqlite3.Error: it can't be used.
        """
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        self._base = sqlite3.connect(self._file or ":memory:", timeout=2.0, isolation_level=None)
        try:
            self._prepare()
            if self._looks:
                self._refresh()
        except BaseException:
            self._base.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def _prepare(self) -> None:
        (version,) = self._base.execute("PRAGMA user_version").fetchone()
        if version not in (0, FORMAT):
            raise DamagedIndex("it has another format")
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute("PRAGMA synchronous=NORMAL")
        self._base.execute("PRAGMA mmap_size=0")
        if version == 0:
            self._base.execute("BEGIN IMMEDIATE")
            # another process may just have made it
            if self._base.execute("PRAGMA user_version").fetchone()[0] == 0:
                for statement in _TABLES.split(";\n"):
                    self._base.execute(statement)
                self._base.execute(f"PRAGMA user_version={FORMAT}")
            self._base.execute("COMMIT")

    # Keeping up with the folder ------------------------------------------------

    def _refresh(self) -> None:
        now = dict(reading.files(self._root))
        known = {
            path: (number, (mtime, ctime, size))
            for number, path, mtime, ctime, size in self._base.execute(
                "SELECT id, path, mtime, ctime, size FROM file"
            )
        }
        gone = [(number,) for path, (number, stamp) in known.items() if now.get(path) != stamp]
        fresh = [
            (path, stamp)
            for path, stamp in now.items()
            if path not in known or known[path][1] != stamp
        ]
        if not gone and not fresh:
            return
        self._shared = {
            key: number for number, key in self._base.execute("SELECT id, digest FROM shared")
        }
        entries = reading.read(str(self._root), fresh)
        while batch := list(itertools.islice(entries, _BATCH)):
            # in parts, so that another process waits for moments only, and what is cut off goes on
            self._change(gone, batch)
            gone = []
        if gone:
            self._change(gone, [])

    def _change(
        self,
        gone: list[tuple[int]],
        fresh: Sequence[tuple[str, reading.Stamp, list[reading.Entry | reading.Damage]]],
    ) -> None:
        self._base.execute("BEGIN IMMEDIATE")
        try:
            files = itertools.count(
                self._base.execute("SELECT coalesce(max(id), 0) + 1 FROM file").fetchone()[0]
            )
            rows, damaged, stamps = [], [], []
            for path, stamp, entries in fresh:
                file = next(files)
                stamps.append((file, path, *stamp, len(entries)))
                for entry in entries:
                    if isinstance(entry, reading.Damage):
                        damaged.append((file, *entry))
                    else:
                        row = (
                            file,
                            entry.line,
                            entry.start,
                            entry.length,
                            entry.name,
                            entry.digest,
                            self._share(entry.part),
                            self._share(entry.origin),
                            entry.body,
                        )
                        rows.append((*row, _check(row)))
            self._base.executemany("DELETE FROM file WHERE id = ?", gone)
            # replaces what another process added meanwhile
            self._base.executemany("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?)", stamps)
            self._base.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self._base.executemany("INSERT INTO damaged VALUES (?, ?, ?)", damaged)
            if (
                gone
                or self._base.execute("SELECT count(*) FROM file").fetchone()[0] < next(files) - 1
            ):
                for table in ("record", "damaged"):
                    orphans = f"DELETE FROM {table} WHERE file NOT IN (SELECT id FROM file)"  # noqa: S608
                    self._base.execute(orphans)
            self._base.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._base.execute("ROLLBACK")
            raise

    def _share(self, body: bytes) -> int:
        key = blake2b(body, digest_size=16).digest()
        if key not in self._shared:
            self._base.execute(
                "INSERT OR IGNORE INTO shared (digest, body) VALUES (?, ?)", (key, body)
            )
            self._shared[key] = self._base.execute(
                "SELECT id FROM shared WHERE digest = ?", (key,)
            ).fetchone()[0]
        return self._shared[key]

    # Asking it -------------------------------------------------------------------

    def briefs(self) -> Iterator[Brief]:
        """Yield every readable record: those of ``records/`` first, then those of exports, by file
        and line.

        Raises:
            DamagedIndex: a row is not what was written.
        """
        self._count()
        shared: dict[int, Any] = {}
        for number, key, body in self._base.execute("SELECT id, digest, body FROM shared"):
            if blake2b(body, digest_size=16).digest() != key:
                raise DamagedIndex("a shared part changed")
            shared[number] = _unpack(body)
        for row in self._rows("record.*"):
            if _check(row[:9]) != row[9]:
                raise DamagedIndex("a row changed")
            own = _unpack(row[8])
            if own["error"] is not None:
                kind, message, rerun = own["error"]
                own["error"] = Failure(type=kind, message=message, rerun=rerun)
            for field, struct in (("flops", Flops), ("renewed", Renewed)):
                own[field] = own[field] and msgspec.convert(own[field], struct)
            yield Brief(
                name=row[4], content=row[5].hex(), **shared[row[6]], **shared[row[7]], **own
            )

    def places(self, beginning: str = "") -> list[Place]:
        """Return where the records lie whose ids begin with ``beginning``,
        in the order of :meth:`briefs`.
        """
        self._count()
        names = "record.name, file.path, record.line, record.start, record.length, record.digest"
        return [Place(*row) for row in self._rows(names) if row[0].startswith(beginning)]

    def _rows(self, names: str) -> Iterator[Any]:
        query = f"SELECT {names} FROM record JOIN file ON file.id = record.file WHERE record.line"  # noqa: S608 - the names are ours
        yield from self._base.execute(f"{query} = 0")
        yield from self._base.execute(f"{query} > 0 ORDER BY file.path, record.line")

    def _count(self) -> None:
        """See that no row was lost.

        Raises:
            DamagedIndex: one was.
        """
        query = (
            "SELECT (SELECT total(entries) FROM file), (SELECT count(*) FROM record JOIN file "
            "ON file.id = record.file), (SELECT count(*) FROM damaged)"
        )
        expected, records, damaged = self._base.execute(query).fetchone()
        if expected != records + damaged:
            raise DamagedIndex("rows are lost")

    def damaged(self) -> list[tuple[str, int, str]]:
        """Return what can't be read: file, line and why."""
        return self._base.execute(
            "SELECT file.path, damaged.line, reason FROM damaged JOIN file ON file.id = "
            "damaged.file ORDER BY path, line"
        ).fetchall()

    def exported(self) -> dict[str, int]:
        """Return the highest attempt in exports: beginning of an id, up to
        the attempt -> attempt.
        """
        found: dict[str, int] = {}
        for (name,) in self._base.execute("SELECT name FROM record WHERE line > 0"):
            beginning, _, attempt = name.rpartition("-")
            found[f"{beginning}-"] = max(found.get(f"{beginning}-", 0), int(attempt))
        return found

    def memo(self, name: str, build: Callable[[], Any]) -> Any:
        """Return what ``build`` returned when it was last called for
        ``name``: plain data that ``name`` determines.
        """
        found = self._base.execute("SELECT body FROM memo WHERE name = ?", (name,)).fetchone()
        if found is not None and zlib.crc32(found[0][4:]) == int.from_bytes(found[0][:4], "big"):
            return msgspec.json.decode(found[0][4:])
        value = build()
        body = msgspec.json.encode(value)
        with suppress(sqlite3.Error):
            self._base.execute(
                "INSERT OR REPLACE INTO memo (name, body) VALUES (?, ?)",
                (name, zlib.crc32(body).to_bytes(4, "big") + body),
            )
            self._base.execute(
                "DELETE FROM memo WHERE id <= (SELECT max(id) FROM memo) - ?", (_MEMOS,)
            )
        return value


def _check(row: tuple[Any, ...]) -> int:
    file, line, start, length, name, key, part, origin, body = row
    return zlib.crc32(
        body,
        zlib.crc32(
            b"%d %d %d %d %s %s %d %d"
            % (file, line, start, length, name.encode(), key, part, origin)
        ),
    )
