"""Errors a user can act on.

Each is one sentence and carries the exit code of the command that meets it.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import traceback
from collections.abc import Iterable, Iterator
from typing import Any

FORKED = 73
"""Exit code of a process that a plugin forked and that came out of the plugin's code."""


class BenchError(Exception):
    """Something the user can mend.

    Its text says what is wrong, the value received, what would be right, what to do next.
    """

    exit_code = 1


class UsageError(BenchError):
    """The command line or a parameter is wrong (exit code 2)."""

    exit_code = 2


class ParameterError(UsageError, ValueError):
    """A value does not fit its parameter (exit code 2)."""


class NothingSelected(BenchError):
    """The command is well formed and selects nothing (exit code 3)."""

    exit_code = 3


class EnvironmentFault(BenchError):
    """A plugin, a library, a folder or a device is not usable (exit code 4)."""

    exit_code = 4


class PluginError(EnvironmentFault):
    """A plugin is broken. ``plugin`` names the culprit."""

    def __init__(self, message: str, plugin: str = "") -> None:
        super().__init__(message)
        self.plugin = plugin


class DataUnavailable(EnvironmentFault):
    """A dataset is not on this machine. The message says how to get it."""


class InvalidRun(BenchError):
    """A run broke a rule that makes its number worthless: it is recorded
    as ``invalid`` with this reason.
    """


class BenchWarning(UserWarning):
    """Something a plugin author should know, which does not stop a run."""


@contextlib.contextmanager
def blaming(where: str) -> Iterator[None]:
    """Note of an error that a plugin's code raises inside where that was, like ``the task's
    evaluate``, for :func:`blamed`; what is noted first stays.

    A process that the plugin forked inside and that comes out here ends: what it has is not the
    run's.
    """
    process = os.getpid()
    try:
        yield
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        if os.getpid() != process:
            with contextlib.suppress(BaseException):
                traceback.print_exception(error)
        # an error may refuse attributes, or raise when it is asked for one
        with contextlib.suppress(Exception):
            told: Any = error
            if not hasattr(told, "bench_where"):
                told.bench_where = where
        raise
    finally:
        if os.getpid() != process:
            os._exit(FORKED)


def blamed(error: BaseException) -> str:
    """Return where an error came from, if it is known and not said in its
    text; else an empty string.
    """
    if issubclass(type(error), BenchError):
        return ""
    try:
        return str(getattr(error, "bench_where", ""))
    except Exception:  # an error may raise when it is asked for an attribute
        return ""


def near(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'a' or 'b'?" for up to three names that are like ``name`` or begin
    with it, or an empty string.
    """
    names = list(known)
    begun = sorted(other for other in names if len(name) > 2 and other.startswith(name))
    alike = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    matches = list(dict.fromkeys([*alike, *begun]))[:3]
    return f" Did you mean {' or '.join(repr(match) for match in matches)}?" if matches else ""


def listed(names: Iterable[str], word: str = "and") -> str:
    """Return one name or more as a part of a sentence: "a, b and c"."""
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last


def type_name(kind: type) -> str:
    """Return what messages call a type: the module that users import it from, and its name."""
    return f"{kind.__module__.removeprefix('bench.builtin.')}.{kind.__qualname__}"
