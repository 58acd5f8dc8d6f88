"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from bench.errors import EnvironmentFault

T = TypeVar("T")


def put(path: Path, data: bytes, durable: bool = False) -> None:
    """Write a file whole or not at all; a ``durable`` one outlasts a loss of power.

    Raises:
        OSError: it can't be written; what was there before still is.
    """

    def write(temporary: Path) -> None:
        temporary.write_bytes(data)
        if durable:
            sync(temporary)

    put_with(path, write)


def put_or_say(path: Path, data: bytes, otherwise: str) -> None:
    """Write a file of a folder that may not be there yet, whole or not at all.

    Args:
        path: of the file.
        data: its bytes.
        otherwise: what to do where the disk is full, like ``name another folder with --results``.

    Raises:
        EnvironmentFault: it can't be written.
    """
    with saying(path, otherwise):
        path.parent.mkdir(parents=True, exist_ok=True)
        put(path, data)


@contextlib.contextmanager
def saying(path: Path, otherwise: str) -> Iterator[None]:
    """Say of a file or folder that can't be written why, and what to do.

    Raises:
        EnvironmentFault: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise EnvironmentFault(
            f"{str(path)!r} can't be written ({error.strerror}); free the disk, or {otherwise}."
        ) from None


def sync(path: Path) -> None:
    """See that what was written in a file or folder outlasts a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def put_with(path: Path, write: Callable[[Path], T]) -> T:
    """Have ``write`` fill a temporary file that then takes the name ``path``; return its answer.

    Raises:
        OSError: it can't be written; what was there before still is.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    os.close(handle)
    temporary = Path(name)
    try:
        answer = write(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
        return answer
    finally:
        temporary.unlink(missing_ok=True)
