"""Calls of ``os`` that Python audits not at all: which paths are looked for, which variables and
whether the working folder is asked for. While they are wrapped, somebody hears of each.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

stat, lstat, getcwd = os.stat, os.lstat, os.getcwd
_getitem = type(os.environ).__getitem__


def wrap(
    looked: Callable[[Any, dict[str, Any]], None],
    folder: Callable[[], None],
    name: Callable[[Any], None],
) -> None:
    """Have each call told before it is made.

    Args:
        looked: gets a path that is looked for, and the options of the call.
        folder: the working folder is asked for.
        name: gets the name of a variable of the environment that is read.
    """

    def telling(real: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        def call(path: Any, **options: Any) -> os.stat_result:
            looked(path, options)
            return real(path, **options)

        return call

    def here() -> str:
        folder()
        return getcwd()

    def getitem(environ: Any, key: Any) -> Any:
        name(key)
        return _getitem(environ, key)

    os.stat, os.lstat, os.getcwd = telling(stat), telling(lstat), here
    type(os.environ).__getitem__ = getitem  # type: ignore[method-assign]
    for able in (os.supports_fd, os.supports_dir_fd, os.supports_follow_symlinks):
        able |= {os.stat} if stat in able else set()  # shutil asks what it can do


def unwrap() -> None:
    """Put the calls back."""
    for able in (os.supports_fd, os.supports_dir_fd, os.supports_follow_symlinks):
        able -= {os.stat} - {stat}
    os.stat, os.lstat, os.getcwd = stat, lstat, getcwd
    type(os.environ).__getitem__ = _getitem  # type: ignore[method-assign]
