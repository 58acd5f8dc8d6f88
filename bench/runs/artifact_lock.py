"""The lock of who builds an artifact."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO


def locked(path: Path, wait: bool) -> IO[bytes] | None:
    """Open a lock file and lock it; None where another process holds it and ``wait`` is false.

    A holder may remove the file before it lets go: whoever waited for it then holds a lock on a
    file that is no longer there, and tries again.
    """
    while True:
        file = path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                return file
        except FileNotFoundError:
            pass
        except BlockingIOError:
            file.close()
            return None
        file.close()
