"""Text that may hold what UTF-8 can't: paths and messages that the system gave as bytes.

Python keeps such bytes in a ``str`` as lone surrogates, which no JSON and no terminal takes.
Between processes, where paths must arrive as they are, they travel as they are (:func:`encode`,
:func:`decode`); in records and documents they are escaped (:func:`plain`).
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

_Kind = TypeVar("_Kind")
_S = TypeVar("_S", bound=msgspec.Struct)
_LONGEST_NAME = 1000


def escaped(text: str) -> str:
    r"""Return ``text`` with every lone surrogate written out, like
    ``\udce9``: text that UTF-8 can hold stays what it is.
    """
    return text.encode(errors="backslashreplace").decode()


def printable(text: str) -> str:
    """Return ``text`` as a terminal may show it: control characters and
    lone surrogates are written out, line ends and tabs stay.
    """
    if text.isprintable():
        return text
    return "\n".join(map(_line, text.replace("\r\n", "\n").split("\n")))


def _line(text: str) -> str:
    if text.isprintable():  # as nearly every line is, and far quicker than character by character
        return text
    return "".join(
        character
        if character.isprintable() or character == "\t"
        else character.encode("unicode_escape").decode()
        for character in text
    )


def plain(value: Any) -> Any:
    """Return ``value`` as plain data that JSON can hold: texts escaped, numbers of other libraries
    as Python's, anything else as its text.
    """
    if isinstance(value, str):
        return escaped(str(value))
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return (
            int(value)
            if abs(value) < 2**63
            else float(value)
            if abs(value) < 2**1000
            else str(value)[:_LONGEST_NAME]
        )
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {
            plain(key) if isinstance(key, str) else text_of(key)[:_LONGEST_NAME]: plain(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return plain(_odd(value))


def readable(struct: _S) -> _S:
    """Return a result or a record that JSON can hold: the struct itself if it can be, else one with
    :func:`plain` fields.

    Raises:
        msgspec.ValidationError: a field is not at all what the struct declares.
    """
    try:
        msgspec.json.encode(struct)
    except (UnicodeError, TypeError, ValueError, OverflowError):
        return msgspec.convert(plain(msgspec.to_builtins(struct, enc_hook=_odd)), type(struct))
    return struct


def _odd(value: Any) -> Any:
    """Return what stands for a value that is no plain data: the number in
    an array of one, else its text.
    """
    if isinstance(value, str):
        return str.__str__(value)
    if callable(take := getattr(value, "item", None)):
        try:
            found = take()
        except Exception:  # a stranger's object, or an array of several
            return text_of(value)[:_LONGEST_NAME]
        return (
            found
            if isinstance(found, bool | int | float | str | None)
            else text_of(value)[:_LONGEST_NAME]
        )
    return text_of(value)[:_LONGEST_NAME]


def text_of(value: Any) -> str:
    """Return what an object of a stranger's says of itself, escaped."""
    try:
        return escaped(str(value))
    except Exception:  # a stranger's __str__
        return "(it can't say what it is)"


def encode(value: Any) -> bytes:
    """Encode plain data and structs as JSON for another process of ours; :func:`decode` gives back
    the same, lone surrogates included.
    """
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), allow_nan=False).encode()


def decode(data: bytes, kind: type[_Kind] | Any = Any) -> Any:
    r"""Decode what :func:`encode` made.

    Raises:
        msgspec.MsgspecError, RecursionError: it is not that, or no ``kind``.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as error:
        if b"\\ud" not in data:
            raise
        try:
            found = json.loads(data, parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise error from None
        return msgspec.convert(found, kind)


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


@contextlib.contextmanager
def utf8_name(path: Path) -> Iterator[str]:
    """Yield a name of a file for libraries that want UTF-8.

    Names of other bytes exist on Linux alone, which has another name for an open file.
    """
    if escaped(str(path)) == str(path):
        yield str(path)
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)


def shell_word(text: str, encoding: str = "utf-8") -> str:
    r"""Return ``text`` as one word of a POSIX shell; what the terminal's ``encoding`` can't show is
    written as ``$'\xc3\xa9'``, for bash and zsh.
    """
    try:
        shown = text.isprintable() and bool(text.encode(encoding) or True)
    except (UnicodeError, LookupError):
        shown = False
    if shown:
        return shlex.quote(text)
    data = text.encode("utf-8", "surrogateescape" if _from_bytes(text) else "backslashreplace")
    return (
        "$'"
        + "".join(
            chr(byte) if 32 <= byte < 127 and chr(byte) not in "'\\" else f"\\x{byte:02x}"
            for byte in data
        )
        + "'"
    )


def _from_bytes(text: str) -> bool:
    """Say whether every lone surrogate of ``text`` stands for a byte, as in a path."""
    return not any(
        "\ud800" <= character <= "\udfff" and not "\udc80" <= character <= "\udcff"
        for character in text
    )
