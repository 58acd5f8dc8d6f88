"""What a run does that no record shows: files it writes, addresses it asks
for, examples its modules see.
"""

from __future__ import annotations

import contextlib
import glob
import os
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_PATHS = {
    "os.mkdir": 0,
    "os.remove": 0,
    "os.rmdir": 0,
    "os.rename": 1,
    "os.link": 1,
    "os.symlink": 1,
    "os.truncate": 0,
    "os.chmod": 0,
    "shutil.rmtree": 0,
}
_NETWORK = ("socket.connect", "socket.getaddrinfo", "urllib.Request")
_TEMPORARY = os.path.realpath(tempfile.gettempdir())
_STANDARD = (os.path.realpath(sysconfig.get_path("stdlib")), "<frozen os>")
_INSTALLED = ("site-packages", "dist-packages")
_HOMES = tuple(str(Path(m.__file__).absolute().parents[1]) for m in (torch, np) if m.__file__)
"""Where torch and NumPy are installed."""
_MOST, _DEEPEST = 20_000, 4
"""Files that are compared in a folder and those below it, and how far below."""
_active: list[Watch] = []
_installed = False


class Watch:
    """Notes what the code of a plugin does meanwhile.

    An audit hook can't be taken out of a process: it stays, and does nothing.
    """

    def __init__(self, homes: Sequence[Path], allowed: Sequence[Path]) -> None:
        self.homes = tuple(str(path.resolve()) for path in homes)
        self.allowed = tuple(str(path.resolve()) for path in allowed)
        self._folders = [
            str(Path.cwd()),
            *(str(home if home.is_dir() else home.parent) for home in map(Path, self.homes)),
        ]
        self._before: dict[str, tuple[int, ...]] = {}
        self.written: dict[str, None] = {}
        self.asked: dict[str, None] = {}

    def __enter__(self) -> Watch:
        global _installed
        if not _installed:
            sys.addaudithook(_hear)
            _installed = True
        _active.append(self)
        self._before = self._files()
        return self

    def __exit__(self, *_: object) -> None:
        _active.remove(self)
        changed = {
            path: state for path, state in self._files().items() if self._before.get(path) != state
        }  # C++, as of torch.save, opens files without an event
        others = _held_by_others() if changed else set()
        self.written |= dict.fromkeys(
            path for path, state in changed.items() if state[:2] not in others
        )

    def _files(self) -> dict[str, tuple[int, ...]]:
        """Return the state of the files where the command started and
        beside the plugin, by path; of very many, the nearest ones.
        """
        found: dict[str, tuple[int, ...]] = {}
        waiting = [(os.path.realpath(folder), 0) for folder in dict.fromkeys(self._folders)]
        while waiting and len(found) < _MOST:
            folder, depth = waiting.pop(0)
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if _inside(entry.path, self.allowed):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting += (
                            [(entry.path, depth + 1)]
                            if depth < _DEEPEST and not _foreign(entry)
                            else []
                        )
                    else:
                        status = entry.stat(follow_symlinks=False)
                        found[entry.path] = (
                            status.st_dev,
                            status.st_ino,
                            status.st_size,
                            status.st_mtime_ns,
                        )
        return found

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note an event that the plugin's code is the cause of."""
        if event in _NETWORK:
            if self._mine():
                self.asked[_address(event, arguments)] = None
            return
        path = (
            arguments[0]
            if event == "open" and _writes(arguments)
            else arguments[_PATHS[event]]
            if event in _PATHS
            else None
        )
        if isinstance(path, str | bytes | os.PathLike) and self._mine():
            text = os.path.realpath(os.fsdecode(path))
            if "/__pycache__" in text and self._importing():
                return
            allowed = (*self.allowed, _TEMPORARY) if _by_library() else self.allowed
            if not text.startswith(("/dev/", "/proc/")) and not _inside(text, allowed):
                self.written[text] = None

    def _importing(self) -> bool:
        """Say whether an import writes, as Python and pytest write a module's compiled form."""
        frame = sys._getframe(3)
        while not _inside(frame.f_code.co_filename, self.homes):
            if frame.f_code.co_filename.startswith("<frozen importlib"):
                return True
            frame = frame.f_back  # type: ignore[assignment]
        return False

    def _mine(self) -> bool:
        frame = sys._getframe(3)
        while frame is not None:
            name = frame.f_code.co_filename
            if _inside(name, self.homes):
                return True
            frame = frame.f_back  # type: ignore[assignment]
        return False


def _inside(path: str, folders: Sequence[str]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


def _foreign(entry: os.DirEntry[str]) -> bool:
    """Say whether a folder is no place for a plugin's files: hidden, compiled, or results of bench,
    which another command may write meanwhile.
    """
    return entry.name.startswith((".", "__pycache__")) or Path(entry.path, "records").is_dir()


def _held_by_others() -> set[tuple[int, ...]]:
    """Return device and number of the files that other processes hold open, or this one for what it
    prints: a log is no doing of the plugin's.
    """
    found: set[tuple[int, ...]] = set()
    mine = f"/proc/{os.getpid()}/fd/"
    for handle in (*glob.glob("/proc/[0-9]*/fd/*"), "/dev/fd/1", "/dev/fd/2"):  # noqa: PTH207 - strings
        with contextlib.suppress(OSError):
            if not handle.startswith(mine):
                status = os.stat(handle)  # noqa: PTH116
                found.add((status.st_dev, status.st_ino))
    return found


def _by_library() -> bool:
    """Say whether an installed library did it of its own accord, as torch
    does with its temporary folders.
    """
    frame = sys._getframe(3)
    while (
        frame.f_back is not None
        and _inside(frame.f_code.co_filename, _STANDARD)
        and not _installed_at(frame.f_code.co_filename)
    ):
        frame = frame.f_back
    return _installed_at(frame.f_code.co_filename)


def _installed_at(path: str) -> bool:
    """Say whether a file belongs to an installed library: Debian calls the folder of these
    otherwise than pip, and torch may lie anywhere.
    """
    return any(name in Path(path).parts for name in _INSTALLED) or _inside(path, _HOMES)


def _writes(arguments: tuple[Any, ...]) -> bool:
    mode, flags = arguments[1], arguments[2]
    return (
        any(letter in mode for letter in "wax+")
        if isinstance(mode, str)
        else bool(isinstance(flags, int) and flags & _WRITES)
    )


def _address(event: str, arguments: tuple[Any, ...]) -> str:
    if event == "socket.getaddrinfo":
        return str(arguments[0])
    return str(arguments[0] if event == "urllib.Request" else arguments[1])


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _active and (event == "open" or event in _PATHS or event in _NETWORK):
        for watch in _active:
            watch.hear(event, arguments)
