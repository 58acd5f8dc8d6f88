"""A driver's session in a results folder that others may use too: which cells it may start, what
others recorded meanwhile, what drivers that died left behind.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench.errors import EnvironmentFault
from bench.runs.cell_locks import CellLocks
from bench.runs.record import Record, RecordError, decode_record
from bench.runs.spec import Job

if TYPE_CHECKING:
    from bench.runs.keys import Keyed, Keys

_FRESH = 5.0
"""Seconds for which a temporary file without an owner may be another command's."""
_KEEP = 30 * 86400.0
"""Seconds for which the checkpoint of a run that nobody took up again is kept."""


class DriverSession:
    """What a driver does with the folder of results besides adding records."""

    def __init__(self, root: Path, locks: CellLocks, since: float, keys: Keys) -> None:
        self._root, self._locks, self._since, self._keys = root, locks, since, keys
        self._elsewhere: list[tuple[Keyed, Record]] = []

    def resumable(self, todo: Sequence[Keyed]) -> list[list[Keyed]]:
        """Return the jobs among ``todo`` that were cut off and have a checkpoint: they must be
        taken up as they were, or it is lost.
        """
        by_key = {keyed.key: keyed for keyed in todo}
        found = []
        for folder in self._folders():
            if _has_checkpoint(folder):
                keys = _keys(folder)
                if keys and all(key in by_key for key in keys):
                    found.append([by_key.pop(key) for key in keys])
        return found

    def jobs(
        self,
        groups: Sequence[Sequence[Keyed]],
        make: Callable[[Sequence[Keyed]], Job],
        order: Callable[[Sequence[Sequence[Keyed]]], Sequence[Sequence[Keyed]]] = lambda left: left,
    ) -> Iterator[Job | None]:
        """Yield jobs that no other driver runs or has run since this one looked; None where all
        that is left is at work elsewhere.

        Args:
            groups: the cells of each job.
            make: returns the job of some cells.
            order: returns the order of those that are left, before another is sent out.
        """
        waiting = deque(groups)
        while waiting:
            passed = 0
            while passed < len(waiting):
                group = waiting.popleft()
                mine = self._lock(group)
                if mine is None:
                    waiting.append(group)
                    passed += 1
                elif mine:
                    yield self._open(make(mine), mine)
                    passed, waiting = 0, deque(order(waiting))
            if waiting:
                yield None

    def _lock(self, group: Sequence[Keyed]) -> list[Keyed] | None:
        """Lock every run of a group and return those that are still to
        do; None where one is at work elsewhere.
        """
        taken: list[Keyed] = []
        for keyed in group:
            if not self._locks.acquire(keyed.key):
                for other in taken:
                    self._locks.release(other.key)
                return None
            taken.append(keyed)
        mine = []
        for keyed in taken:
            record = self._recorded(keyed)
            if record is None:
                mine.append(keyed)
            else:
                self._elsewhere.append((keyed, record))
                self._locks.release(keyed.key)
        return mine

    def _recorded(self, keyed: Keyed) -> Record | None:
        """Return the record that another driver wrote of a run since this one began."""
        cell = keyed.cell.spec.cell
        newest = None
        shard = self._root / "records" / cell[:2]
        for name in os.listdir(shard) if shard.is_dir() else ():  # noqa: PTH208 - once a run; a glob takes ten times longer
            try:
                if (
                    not name.startswith(f"{cell[:16]}-")
                    or (shard / name).stat().st_mtime < self._since
                ):
                    continue
                record = decode_record((shard / name).read_bytes())
            except (OSError, RecordError):
                continue
            if record.status == "interrupted" or record.key != self._keys.key(
                keyed.cell, cell, record.data
            ):
                continue
            if newest is None or (record.ended, record.attempt) > (newest.ended, newest.attempt):
                newest = record
        return newest

    def recorded_elsewhere(self) -> list[tuple[Keyed, Record]]:
        """Return, once each, the records that others wrote of what this driver wanted to run."""
        found, self._elsewhere = self._elsewhere, []
        return found

    def _open(self, job: Job, group: Sequence[Keyed]) -> Job:
        folder = Path(job.workdir)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "job.json").write_bytes(msgspec.json.encode([keyed.key for keyed in group]))
        except OSError as error:
            raise EnvironmentFault(
                f"the scratch folder {str(folder)!r} can't be written ({error.strerror}); free "
                "the disk and run the same command again."
            ) from None
        return job

    def close(self, job: Job, interrupted: bool) -> None:
        """Remove the scratch folder of a job that ended, unless it was cut
        off and has a checkpoint to go on from.
        """
        folder = Path(job.workdir)
        if not interrupted or not _has_checkpoint(folder):
            shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what dead drivers left: temporary files, and scratch folders without a checkpoint.

        Not where another driver is at work.
        """
        with self._locks.exclusive() as alone:
            if not alone:
                return
            now = time.time()
            for pattern in ("records/*/.writing-*", ".probe*"):
                for path in self._root.glob(pattern):
                    status = path.lstat()
                    # linked: its record is there already
                    if status.st_nlink > 1 or now - status.st_mtime > _FRESH:
                        path.unlink(missing_ok=True)
            for folder in self._folders():
                if not _has_checkpoint(folder) or now - folder.stat().st_mtime > _KEEP:
                    shutil.rmtree(folder, ignore_errors=True)
            work = self._root / "work"
            if work.is_dir() and not any(work.iterdir()):
                work.rmdir()

    def _folders(self) -> list[Path]:
        work = self._root / "work"
        return (
            sorted(path for path in work.iterdir() if path.is_dir() and not path.is_symlink())
            if work.is_dir()
            else []
        )


def _has_checkpoint(folder: Path) -> bool:
    return any(True for _ in folder.glob("*/*/checkpoint.safetensors"))


def _keys(folder: Path) -> list[str]:
    try:
        keys = msgspec.json.decode((folder / "job.json").read_bytes(), type=list[str])
    except (OSError, msgspec.MsgspecError):
        return []
    return keys if all(re.fullmatch(r"[0-9a-f]+", key) for key in keys) else []
