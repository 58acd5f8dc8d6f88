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


def described(target: Target) -> dict[str, Any] | str:
    """Have a side process import a file.

    Returns:
        By class what it declares, or as text what is wrong with it; a text alone where the whole
        file is.
    """
    done = subprocess.run(
        [sys.executable, "-m", "bench.plugins.describe", encode(target).decode()],
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        check=False,
        timeout=120,
    )
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


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
