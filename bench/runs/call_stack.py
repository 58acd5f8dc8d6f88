"""Who asks the system for something, told by the stack: a plugin's code, a
library for purposes of its own, or Python itself.
"""

from __future__ import annotations

import linecache
import sys
import tokenize
from pathlib import Path
from typing import Any

from bench.runs.inputs import LIBRARIES
from bench.runs.paths import STANDARD, within

_BENCH = str(Path(__file__).absolute().parents[1])
_ASIDE = tuple(
    str(Path(__file__).with_name(name))
    for name in ("call_stack.py", "read_observer.py", "os_calls.py")
)
_READERS = ("<frozen importlib._bootstrap_external>", tokenize.__file__, linecache.__file__)


def reading_code(homes: tuple[str, ...]) -> bool:
    """Say whether Python reads code, to run it or to quote it in a warning, or a library is
    imported and reads what is its own: neither is data.

    Args:
        homes: folders of plugins; they may lie among the libraries.
    """
    frame = _asker()
    if frame is not None and frame.f_code.co_filename in _READERS:
        return True
    while frame is not None:
        if (
            frame.f_code.co_name == "<module>"
            and frame.f_back is not None
            and frame.f_back.f_code.co_filename.startswith("<frozen importlib")
        ):
            return within(frame.f_code.co_filename, (*LIBRARIES, *STANDARD)) and not within(
                frame.f_code.co_filename, (_BENCH, *homes)
            )
        frame = frame.f_back
    return False


def from_plugin(homes: tuple[str, ...]) -> bool:
    """Say whether it is asked for by a plugin's or our own code, not by a
    library for purposes of its own.
    """
    frame = _asker()
    while frame is not None and (
        frame.f_code.co_filename.startswith("<frozen") or _standard(frame.f_code.co_filename)
    ):
        frame = frame.f_back
    if frame is None:
        return False
    name = frame.f_code.co_filename
    return not within(name, LIBRARIES) or within(name, (_BENCH, *homes))


def quoting_code() -> bool:
    """Say whether Python looks for code to quote it."""
    frame = _asker()
    return frame is not None and frame.f_code.co_filename == linecache.__file__


def _asker() -> Any:
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename in _ASIDE:
        frame = frame.f_back
    return frame


def _standard(name: str) -> bool:
    return within(name, STANDARD) and not within(name, LIBRARIES)
