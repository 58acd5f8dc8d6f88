"""The folder of results: one JSON file a record, written whole or not at all, never changed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from bench.errors import EnvironmentFault, UsageError
from bench.runs.record import Record, RecordError, decode_record, encode_record


class Damaged(msgspec.Struct, frozen=True):
    """A record that can't be read: it is left where it is, shown, and not used."""

    path: str
    reason: str


class Store:
    """Records under one folder: ``records/ab/<id>.json``, arrays and pictures under ``files/<id>/``; ``*.jsonl`` exports are read too."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.damaged: list[Damaged] = []

    def open_for_writing(self) -> None:
        """Make the folder, and see that it can be written.

        Raises:
            EnvironmentFault: it can't be made or written.
        """
        if self.root.exists() and not self.root.is_dir():
            raise UsageError(f"the results folder {str(self.root)!r} is a file; name a folder with --results.")
        try:
            (self.root / "records").mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.root, prefix=".probe")
            os.close(handle)
            Path(name).unlink()
        except OSError as error:
            raise EnvironmentFault(
                f"the results folder {str(self.root)!r} can't be written ({error.strerror}); name another with --results or BENCH_RESULTS."
            ) from None

    def read(self) -> list[Record]:
        """Return every readable record; the others go to :attr:`damaged`. Records of one id are returned once."""
        self.damaged = []
        found: dict[str, Record] = {}
        for path, data in self._documents():
            try:
                record = decode_record(data)
            except RecordError as error:
                self.damaged.append(Damaged(path, str(error)))
                continue
            found.setdefault(record.id, record)
        return list(found.values())

    def _documents(self) -> Iterator[tuple[str, bytes]]:
        if not self.root.is_dir():
            return
        base = str(self.root / "records")
        shards = sorted(entry.path for entry in os.scandir(base) if entry.is_dir(follow_symlinks=False)) if Path(base).is_dir() else []
        for shard in shards:
            for name in sorted(os.listdir(shard)):  # noqa: PTH208 - os.listdir is what makes 10,000 records quick
                if name.endswith(".json") and not name.startswith("."):
                    with open(f"{shard}/{name}", "rb") as file:  # noqa: PTH123
                        yield f"{shard}/{name}", file.read()
        for path in sorted(self.root.glob("*.jsonl")):
            for number, line in enumerate(path.read_bytes().splitlines(), 1):
                if line.strip():
                    yield f"{path}, line {number}", line

    def write(self, record: Record, files: Path | None = None) -> Path:
        """Add a record, with the arrays and pictures that lie in ``files``. The attempt is the first free number.

        Raises:
            EnvironmentFault: the disk is full or the folder can't be written; nothing half-written stays.
        """
        try:
            return self._write(record, files)
        except OSError as error:
            raise EnvironmentFault(
                f"the record of {record.task} {record.variant} {record.method} seed {record.seed} could not be written to {str(self.root)!r} ({error.strerror}); free the disk and run the same command again."
            ) from None

    def _write(self, record: Record, files: Path | None) -> Path:
        shard = self.root / "records" / record.cell[:2]
        shard.mkdir(parents=True, exist_ok=True)
        while (shard / f"{record.id}.json").exists():
            record.attempt += 1
        while True:
            if files is not None:
                shutil.rmtree(self.root / "files" / record.id, ignore_errors=True)
                shutil.copytree(files, self.root / "files" / record.id)
            data = encode_record(record)
            handle, temporary = tempfile.mkstemp(dir=shard, prefix=".writing-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                path = shard / f"{record.id}.json"
                os.link(temporary, path)
                return path
            except FileExistsError:
                record.attempt += 1
            finally:
                Path(temporary).unlink(missing_ok=True)

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
                raise UsageError(f"no record at {name!r} ({error.strerror}); give a record's id or its file.") from None
            except RecordError as error:
                raise RecordError(f"the record {name!r} can't be used: {error}.") from None
        matches = sorted((record for record in self.read() if record.id.startswith(name)), key=lambda record: record.attempt)
        if not matches or len({(record.cell, record.key) for record in matches}) > 1:
            count = "no record" if not matches else f"{len(matches)} records"
            raise UsageError(f"{count} in {str(self.root)!r} begin with {name!r}; 'bench leaderboard --json' lists their ids.")
        return matches[-1]


def latest(records: Iterable[Record]) -> dict[str, Record]:
    """Return for each key its last attempt, an ``ok`` one before any other."""
    best: dict[str, Record] = {}
    for record in records:
        known = best.get(record.key)
        if known is None or (record.status == "ok", record.attempt) > (known.status == "ok", known.attempt):
            best[record.key] = record
    return best
