"""Which paths may hold data, and which events of Python's audit write."""

from __future__ import annotations

import os
import re
import sysconfig
import urllib.parse
from typing import Any

from bench.plugins.cache_folder import cache_folder
from bench.runs.inputs import LIBRARIES

STANDARD = tuple(
    dict.fromkeys(os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))
)
_SYSTEM = ("/proc", "/sys", "/dev", "/etc")
_CODE = (".py", ".pyi", ".pth")
_COMPILED = re.compile(r"\.(pyc|pyd|dylib|so(\.\d+)*)$")
"""Compiled code; a library of the system often has its version behind the name."""
_getcwd = os.getcwd  # as it is, whoever replaces it to see who asks
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def ours() -> tuple[str, ...]:
    """Return the folders of the cache whose files are no data: artifacts, which tell what they were
    made of, and what is known of data.
    """
    return tuple(str(cache_folder().absolute() / name) for name in ("artifacts", "data"))


def ignored(path: str, cache: tuple[str, ...]) -> bool:
    """Say whether a path is no data: of the system, a library's code, or
    of the folders ``cache``.
    """
    if within(path, _SYSTEM) and not within(path, ("/dev/shm",)):  # noqa: S108 - where some keep data
        return True
    if within(path, cache) or _COMPILED.search(path):
        return True
    if within(path, LIBRARIES):
        return (
            path.endswith(_CODE) or ".dist-info" in path or ".egg-info" in path or path in LIBRARIES
        )
    return within(path, STANDARD) or "/__pycache__" in path


def within(path: str, folders: tuple[str, ...]) -> bool:
    """Say whether a path is one of some folders or lies in one."""
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


def absolute(path: Any) -> str:
    """Return a path as an absolute text; empty for the number of an open
    file and for what is no path.
    """
    try:
        text = os.fsdecode(path)
    except TypeError:
        return ""
    return os.path.normpath(os.path.join(_getcwd(), text)) if "\0" not in text and text else ""


def database(name: Any) -> Any:
    """Return the path of an SQLite database, which may be given as a ``file:`` URI."""
    if not isinstance(name, str | bytes) or not os.fsdecode(name).startswith("file:"):
        return name
    parts = urllib.parse.urlsplit(os.fsdecode(name))
    return "" if "mode=memory" in parts.query else urllib.parse.unquote(parts.path)


def writes(arguments: tuple[Any, ...]) -> bool:
    """Say whether an ``open`` event of Python's audit opens for writing."""
    mode, flags = arguments[1], arguments[2]
    return (
        any(letter in mode for letter in "wax+")
        if isinstance(mode, str)
        else bool(isinstance(flags, int) and flags & _WRITES)
    )
