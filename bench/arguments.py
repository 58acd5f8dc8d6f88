"""Arguments of ``bench.run`` as Python gives them, made what the options of ``bench run`` give; of
what is wrong, a sentence that names the argument.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, NoReturn

from bench.errors import UsageError
from bench.params import split_outside

Names = str | Iterable[str]
"""A name, a comma list or a glob as the command line takes it, or several."""

Seeds = int | str | Iterable[int]
"""A number of seeds, a list as the command line takes it, or the seeds themselves."""

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
"""A path, or several."""

_LARGEST_SEED = 999_999_999
_MOST_SEEDS = 1_000_000


def names(argument: str, given: Names) -> tuple[str, ...]:
    """Return names, comma lists taken apart outside brackets.

    Raises:
        UsageError: it is neither text nor texts.
    """
    texts = _texts(given)
    if texts is None:
        raise UsageError(
            f"{argument} got {_said(given)}; give a name or a comma list like 'ce,elr[lam=1]', or "
            "a list of them."
        )
    return tuple(
        part.strip() for text in texts for part in split_outside(text, ",") if part.strip()
    )


def paths(argument: str, given: Paths) -> tuple[str, ...]:
    """Return paths as text.

    Raises:
        UsageError: it is neither a path nor paths.
    """
    found = (
        [given]
        if isinstance(given, str | os.PathLike)
        else list(given)
        if isinstance(given, Iterable) and not isinstance(given, bytes)
        else [given]
    )
    for path in found:
        if not _is_path(path):
            raise UsageError(f"{argument} got {_said(path)}; give a path, or a list of paths.")
    return tuple(os.fspath(path) for path in found)


def path(argument: str, given: Any) -> str | None:
    """Return a path as text; None stays None.

    Raises:
        UsageError: it is no path.
    """
    if given is None:
        return None
    if not _is_path(given):
        raise UsageError(f"{argument} got {_said(given)}; give a path as text or pathlib.Path.")
    return str(os.fspath(given))


def _is_path(given: Any) -> bool:
    """Say whether something can name a file: text or a path, not empty, without NUL."""
    return (
        isinstance(given, str | os.PathLike)
        and isinstance(os.fspath(given), str)
        and str(given) != ""
        and "\0" not in str(given)
    )


def word(argument: str, given: Any, example: str) -> Any:
    """Return text as it is.

    Raises:
        UsageError: it is no text.
    """
    if not isinstance(given, str) or not given:
        raise UsageError(f"{argument} got {_said(given)}; give {example}.")
    return given


def flag(argument: str, given: Any) -> bool:
    """Return a truth value.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(given, bool):
        raise UsageError(f"{argument} got {_said(given)}; give True or False.")
    return given


def seeds(given: Seeds | None) -> str | tuple[int, ...] | None:
    """Return a number or a list of seeds for a plan: text is left for it to read, a number is its
    text, several are those seeds.

    Raises:
        UsageError: it is no number of seeds and no seeds, it holds one twice, or none.
    """
    right = "give a number of seeds like 5, seeds like [0, 1, 7] or range(3), or text like '0-4,7'"
    if given is None:
        return None
    if isinstance(given, str):
        if not given.strip():
            _refuse(f"seeds got {given!r}; {right}.")
        return given
    count = _whole(given)
    if count is not None:
        if not 1 <= count <= _MOST_SEEDS - 1:
            _refuse(
                f"seeds got {_said(given)}, which is no number of seeds from 1 to "
                f"{_MOST_SEEDS - 1:,}; {right}."
            )
        return str(count)
    if isinstance(given, bytes | bytearray | Mapping | int) or not isinstance(given, Iterable):
        _refuse(f"seeds got {_said(given)}; {right}.")
    found: dict[int, None] = {}
    listed: list[Any] = []
    try:
        listed = list(islice(iter(given), _MOST_SEEDS + 1))  # an iterator may never end
    except TypeError:  # an array of no dimension
        _refuse(f"seeds got {_said(given)}; {right}.")
    for item in listed:
        seed = _whole(item)
        if seed is None or not 0 <= seed <= _LARGEST_SEED:
            _refuse(
                f"seeds holds {_said(item)}, and a seed is a whole number from 0 to "
                f"{_LARGEST_SEED:,}; {right}."
            )
        if seed in found:
            _refuse(
                f"seeds holds {seed} twice, and the same seed gives the same number; leave one out."
            )
        found[seed] = None
    if not 1 <= len(listed) <= _MOST_SEEDS:
        how = "holds no seed at all" if not listed else f"holds more than {_MOST_SEEDS:,} seeds"
        _refuse(f"seeds {how}; {right}.")
    return tuple(found)


def count(argument: str, given: Any, least: int, most: int) -> int | None:
    """Return a whole number from ``least`` to ``most``; None stays None.

    Raises:
        UsageError: it is none.
    """
    if given is None:
        return None
    number = _whole(given)
    if number is None or not least <= number <= most:
        raise UsageError(
            f"{argument} got {_said(given)}; give a whole number from {least} to {most}."
        )
    return number


def seconds(argument: str, given: Any) -> float | None:
    """Return a time above 0 in seconds; None stays None.

    Raises:
        UsageError: it is no number above 0, or not finite.
    """
    if given is None:
        return None
    number = _number(given)
    if number is None or not (math.isfinite(number) and number > 0):
        raise UsageError(f"{argument} got {_said(given)}; give a number of seconds above 0.")
    return number


def budget(given: Any) -> float | None:
    """Return a budget of time in seconds, from a number of them or from text like ``30m``; None
    stays None.

    Raises:
        UsageError: it is neither.
    """
    from bench.runs.select import parse_budget

    return parse_budget(given) if isinstance(given, str) else seconds("budget", given)


def size(argument: str, given: Any) -> str | None:
    """Return a size of memory as text, from a number of bytes or from text like ``4GiB``; None
    stays None.

    Raises:
        UsageError: it is neither.
    """
    if given is None or isinstance(given, str):
        return given
    number = _whole(given)
    if number is None or number < 2**20:
        raise UsageError(
            f"{argument} got {_said(given)}; give a size like '4GiB', 'none' for no limit, or at "
            "least 1048576 bytes."
        )
    return str(number)


def _texts(given: Any) -> list[str] | None:
    if isinstance(given, str):
        return [given]
    if isinstance(given, bytes | Mapping) or not isinstance(given, Iterable):
        return None
    found = list(given)
    return found if all(isinstance(text, str) for text in found) else None


def _whole(value: Any) -> int | None:
    """Return a whole number of any integer type (NumPy's, torch's); None: it is another thing, or a
    truth value, which Python takes for 0 and 1.
    """
    if (
        isinstance(value, bool)
        or "bool" in str(getattr(value, "dtype", ""))
        or getattr(value, "shape", None)
    ):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def _number(value: Any) -> float | None:
    if isinstance(value, bool | str | bytes) or "bool" in str(getattr(value, "dtype", "")):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _said(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


def _refuse(message: str) -> NoReturn:
    raise UsageError(message)
