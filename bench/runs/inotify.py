"""Which files are opened in some folders, told by the kernel: the only witness of what C++ code
reads.

Linux has it; elsewhere nothing is seen.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

_OPEN, _MODIFY, _CLOSE_WRITE, _CREATE, _FOLDER = 0x20, 0x2, 0x8, 0x100, 0x40000000
_NONBLOCK, _CLOEXEC = 0o4000, 0o2000000
_MOST = 512
"""Folders that are watched, at most: each takes a slot of the user's."""
_HEAD = struct.Struct("iIII")


class OpenedFiles:
    """Watches folders from now on.

    Args:
        homes: these, and the folders in them, the upper ones first.
    """

    def __init__(self, homes: Sequence[str]) -> None:
        self._handle, self._folders = -1, {}  # type: int, dict[int, str]
        self._seen: set[str] = set()
        if sys.platform != "linux":
            return
        with contextlib.suppress(OSError, AttributeError):
            self._library = ctypes.CDLL(None, use_errno=True)
            self._handle = self._library.inotify_init1(_NONBLOCK | _CLOEXEC)
        waiting = [home for home in homes if os.path.isdir(home)]
        while waiting and len(self._folders) < _MOST and self._handle >= 0:
            folder = waiting.pop(0)
            self.watch(folder)
            with contextlib.suppress(OSError), os.scandir(folder) as found:
                waiting += sorted(
                    entry.path
                    for entry in found
                    if entry.is_dir(follow_symlinks=False) and not _left_out(entry.path)
                )

    def watch(self, folder: str) -> None:
        """Watch one more folder."""
        if self._handle >= 0 and folder not in self._seen and len(self._folders) < _MOST:
            self._seen.add(folder)
            number = self._library.inotify_add_watch(
                self._handle, os.fsencode(folder), _OPEN | _MODIFY | _CLOSE_WRITE | _CREATE
            )
            if number >= 0:
                self._folders[number] = folder

    def close(self) -> list[str]:
        """Stop, and return the files that were opened and not written, code left out."""
        if self._handle < 0:
            return []
        opened: dict[str, None] = {}
        written: set[str] = set()
        try:
            while data := os.read(self._handle, 1 << 16):
                place = 0
                while place < len(data):
                    number, mask, _, length = _HEAD.unpack_from(data, place)
                    name = data[place + _HEAD.size : place + _HEAD.size + length].rstrip(b"\0")
                    place += _HEAD.size + length
                    if name and number in self._folders and not mask & _FOLDER:
                        path = os.path.join(self._folders[number], os.fsdecode(name))
                        if mask & _OPEN:
                            opened[path] = None
                        else:
                            written.add(path)
        except BlockingIOError:
            pass
        finally:
            os.close(self._handle)
            self._handle = -1
        return [
            path for path in opened if path not in written and not path.endswith((".py", ".pyc"))
        ]


def _left_out(folder: str) -> bool:
    """Say whether a folder holds no data: hidden, Python's own, or a folder of results, which
    others read and write at the same time.
    """
    path = Path(folder)
    return (
        path.name.startswith((".", "__"))
        or path.name in ("site-packages", "node_modules")
        or (path / "records").is_dir()
    )
