"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def put(path: Path, data: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        OSError: it can't be written; what was there before still is.
    """
    put_with(path, lambda temporary: temporary.write_bytes(data))


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
