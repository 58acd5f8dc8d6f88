"""Asking git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from bench.errors import BenchError

PATIENCE = 120.0
"""Seconds that git has to answer."""


class GitRefused(BenchError):
    """There is no git, or it says no; the text says why, without a full stop."""


def git(folder: str | Path, *words: str, patience: float = PATIENCE) -> str:
    """Return what git says in a folder, whatever its environment and the folder's hooks ask for.

    Raises:
        GitRefused: there is no git, or it refuses.
    """
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
    command = ["git", "-C", str(folder), "-c", f"core.hooksPath={os.devnull}", *words]
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="backslashreplace",
            check=False,
            timeout=patience,
        )
    except FileNotFoundError:
        raise GitRefused("there is no git here, which keeps the old code; install it") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitRefused(f"git could not be asked in {folder} ({error})") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise GitRefused(lines[-1] if lines else f"git ended with {done.returncode}")
    return done.stdout.strip()
