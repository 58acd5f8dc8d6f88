"""Cards and parameters that only an import tells: a side process imports the file."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import msgspec

from bench.params import Param
from bench.plugins.source import Target
from bench.plugins.types import type_from_text
from bench.texts import encode

_PATIENCE = 120
"""Seconds that the import of a file may take."""


def described(target: Target) -> dict[str, Any] | str:
    """Have a side process import a file.

    Returns:
        By class what it declares, or as text what is wrong with it; a text alone where the whole
        file is.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bench.plugins.describe", encode(target).decode()],
            capture_output=True,
            encoding="utf-8",
            errors="backslashreplace",
            check=False,
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return f"its import took longer than {_PATIENCE} s"
    lines = done.stdout.strip().splitlines()
    found = _document(lines[-1]) if lines else None
    if done.returncode == 0 and found is not None:
        return found
    said = done.stderr.strip().splitlines()
    if done.returncode and said:
        return said[-1]
    return (
        f"its import ended the process (exit code {done.returncode}) before the cards could be "
        "read; a plugin's file must not call sys.exit or os._exit when it is imported"
    )


def _document(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def params_of(said: dict[str, Any]) -> dict[str, Param]:
    """Return the parameters of a class by what the side process says of it."""
    return {
        name: Param(
            type_from_text(text),
            msgspec.UNSET if required else tuple(value) if isinstance(value, list) else value,
            doc,
        )
        for name, (text, value, required, doc) in said["params"].items()
    }
