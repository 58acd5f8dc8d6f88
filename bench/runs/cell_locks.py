"""Who runs what in a folder of results: locks that end with the process that holds them, so that
several drivers may share the folder.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
from collections.abc import Iterator
from pathlib import Path

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
_PRESENCE = 0


class CellLocks(contextlib.AbstractContextManager["CellLocks"]):
    """Locks on runs by their key: single bytes of one empty file.

    The kernel drops them when the process ends, however it does; nothing has to be cleaned up. They
    are a process's: they do not keep two drivers of one process apart. On a file system without
    locks every run is granted, and nobody is known to be alone.
    """

    def __init__(self, folder: Path) -> None:
        self._file = (folder / ".lock").open("a+b")
        self._works = True
        self._lock(fcntl.LOCK_SH, _PRESENCE)

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def acquire(self, key: str) -> bool:
        """Lock a run; False where another process has it."""
        return self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB, _byte(key))

    def release(self, key: str) -> None:
        """Unlock a run."""
        self._lock(fcntl.LOCK_UN, _byte(key))

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[bool]:
        """Say whether no other driver is at work in the folder; none begins meanwhile."""
        # Let go first: of two drivers that end together, the later one then finds itself alone.
        self._lock(fcntl.LOCK_UN, _PRESENCE)
        found = self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB, _PRESENCE)
        try:
            yield found and self._works
        finally:
            self._lock(fcntl.LOCK_SH, _PRESENCE)

    def _lock(self, how: int, byte: int) -> bool:
        try:
            fcntl.lockf(self._file, how, 1, byte)
        except OSError as error:
            self._works = error.errno not in _NO_LOCKS
            return not self._works
        return True


def _byte(key: str) -> int:
    return 1 + int(key[:15], 16)
