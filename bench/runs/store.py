"""The folder of results: one JSON file a record, written whole or not at all, never changed."""

from __future__ import annotations

import errno
import os
import platform
import re
import tempfile
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

from bench.errors import EnvironmentFault, UsageError
from bench.files import sync
from bench.runs.record import Record, encode_record
from bench.runs.record_reader import RecordReader
from bench.runs.store_files import alive, copy_named, remove

R = TypeVar("R", bound=Record)
_TEMPORARY = ".writing"
_HOST = blake2b(platform.node().encode(), digest_size=4).hexdigest()


class Store(RecordReader):
    """Records under one folder: ``records/ab/<id>.json``, arrays and pictures under
    ``files/<id>/``; ``*.jsonl`` exports are read too.
    """

    def open_for_writing(self) -> None:
        """Make the folder, see that it can be written, and remove what writers that died left
        half-written.

        Raises:
            UsageError: it is a file. EnvironmentFault: it can't be made or written.
        """
        if self.root.exists() and not self.root.is_dir():
            raise UsageError(
                f"the results folder {str(self.root)!r} is a file; name a folder with --results."
            )
        try:
            self._folder("records")
            for path in self.abandoned():
                remove(path)
            self._temporary().rmdir()
        except OSError as error:
            raise EnvironmentFault(
                f"the results folder {str(self.root)!r} can't be written ({error.strerror}); name "
                "another with --results or BENCH_RESULTS."
            ) from None

    def abandoned(self) -> list[Path]:
        """Return the temporary files and folders of writers on this
        machine that are no longer alive.
        """
        folder = self.root / _TEMPORARY
        if folder.is_symlink() or not folder.is_dir():
            return []
        mine = re.compile(rf"{_HOST}-(\d+)-.*")
        found = [(path, mine.fullmatch(path.name)) for path in sorted(folder.iterdir())]
        return [path for path, match in found if match and not alive(int(match[1]))]

    def write(self, record: Record, files: Path | None = None) -> Path:
        """Add a record, with the arrays and pictures that it names and that lie in ``files``.

        The attempt is the next free number.

        Raises:
            EnvironmentFault: the disk is full or the folder can't be written; nothing half-written
                stays.
            RecordError: it is not consistent.
        """
        try:
            return self._write(record, files)
        except OSError as error:
            raise EnvironmentFault(
                f"the record of {record.task} {record.variant} {record.method} seed {record.seed} "
                f"could not be written to {str(self.root)!r} ({error.strerror}); free the disk "
                "and run the same command again."
            ) from None

    def add(self, record: Record, files: Path | None = None) -> bool:
        """Add a record under the attempt that it has; False where a record of its id is there.

        Raises:
            EnvironmentFault, RecordError: as :meth:`write`.
        """
        try:
            return self._claim(record, files) is not None
        except OSError as error:
            raise EnvironmentFault(
                f"the record {record.id} could not be written to {str(self.root)!r} "
                f"({error.strerror}); free the disk and try again."
            ) from None

    def _write(self, record: Record, files: Path | None) -> Path:
        encode_record(record)  # an inconsistent one leaves no trace
        beginning = record.id.removesuffix(str(record.attempt))
        shard = self._folder("records", record.cell[:2])
        taken = [
            int(name[len(beginning) : -5])
            for name in os.listdir(shard)  # noqa: PTH208 - names are enough
            if name.startswith(beginning) and name[len(beginning) : -5].isdecimal()
        ]
        record.attempt = max([record.attempt - 1, self._exported.get(beginning, 0), *taken]) + 1
        while (path := self._claim(record, files)) is None:
            record.attempt += 1
        return path

    def _claim(self, record: Record, files: Path | None) -> Path | None:
        """Write a record, its files first; None where its id is taken."""
        data = encode_record(record)
        shard = self._folder("records", record.cell[:2])
        path = shard / f"{record.id}.json"
        if path.exists():
            return None
        temporary, home = self._temporary(), None
        try:
            if files is not None and copy_named(record, files, temporary / "files"):
                home = self._folder("files") / record.id
                try:
                    (temporary / "files").rename(home)
                except OSError:
                    if not home.exists():
                        raise
                    home = None  # another writer is about to take this id, or was stopped there
                    return None
            with (temporary / "record").open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary / "record", path)
            home = None
            sync(shard)
            return path
        except FileExistsError:
            return None
        finally:
            for left in (home, temporary):
                if left is not None:
                    remove(left)

    def _folder(self, *parts: str) -> Path:
        """Return a folder of the results folder, made if need be; never one that a link leads to,
        which could lie anywhere.

        Raises:
            OSError: it can't be made, or is a link.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        folder = self.root
        for part in parts:
            folder = folder / part
            folder.mkdir(exist_ok=True)
            if folder.is_symlink():
                raise NotADirectoryError(
                    errno.ENOTDIR,
                    f"{part} in it is a link, and records are written into real folders only",
                )
        return folder

    def _temporary(self) -> Path:
        return Path(
            tempfile.mkdtemp(dir=self._folder(_TEMPORARY), prefix=f"{_HOST}-{os.getpid()}-")
        )


def latest(records: Iterable[R]) -> dict[str, R]:
    """Return for each key its last attempt, an ``ok`` one before any other."""
    best: dict[str, R] = {}
    for record in records:
        known = best.get(record.key)
        if known is None or (record.status == "ok", record.attempt) > (
            known.status == "ok",
            known.attempt,
        ):
            best[record.key] = record
    return best
