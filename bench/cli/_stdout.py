"""Stdout kept for one document: what else is printed in this process, by
C++ code too, goes to stderr.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO


class _Kept:
    """Stdout as it was: the stream, and a second name of its file where it is the process's."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.handle = _duplicate(stream)


_kept: list[_Kept] = []


@contextlib.contextmanager
def printing_aside() -> Iterator[None]:
    """Have what is printed meanwhile go to stderr."""
    if sys.stdout is None or sys.stderr is None:  # it was closed
        yield
        return
    kept = _Kept(sys.stdout)
    _kept.append(kept)
    _swap(kept, aside=True)
    try:
        yield
    finally:
        _kept.remove(kept)
        _swap(kept, aside=False)
        if kept.handle is not None:
            os.close(kept.handle)


@contextlib.contextmanager
def printing_back() -> Iterator[None]:
    """Have what is printed meanwhile go to stdout, inside :func:`printing_aside` too."""
    if not _kept:
        yield
        return
    _swap(_kept[0], aside=False)
    try:
        yield
    finally:
        _swap(_kept[0], aside=True)


def _swap(kept: _Kept, aside: bool) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
        sys.stdout.flush()
    sys.stdout = sys.stderr if aside else kept.stream
    if kept.handle is not None:
        os.dup2(2 if aside else kept.handle, 1)


def _duplicate(stream: TextIO) -> int | None:
    try:
        return os.dup(1) if stream.fileno() == 1 and os.fstat(2) else None
    except (OSError, ValueError):
        return None
