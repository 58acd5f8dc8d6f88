"""The file that keeps the index between commands."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import msgspec

from bench.files import put
from bench.plugins.scan import FileScan
from bench.texts import decode, encode


class Stored(msgspec.Struct):
    """What the file holds: scans by package and path, and what side processes said of classes."""

    scans: dict[str, FileScan]
    described: dict[str, dict[str, Any]]


def read(path: Path) -> Stored:
    """Return what the file holds, which is not to be changed: it is read once a process while the
    file is the same, since every run of a fork server asks for it.

    Raises:
        OSError, msgspec.MsgspecError: it can't be read, or is no index.
    """
    found = path.stat()
    return _read(path, (found.st_ino, found.st_mtime_ns, found.st_size))


@functools.lru_cache(maxsize=1)
def _read(path: Path, stamp: tuple[int, int, int]) -> Stored:
    stored: Stored = decode(path.read_bytes(), Stored)
    return stored


def write(path: Path, stored: Stored) -> None:
    """Keep what is stored.

    Raises:
        OSError: the folder can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    put(path, encode(stored))
