"""Where everything lies that can be made again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder of everything that can be made again:
    ``BENCH_CACHE``, else the user's cache folder.
    """
    named = os.environ.get("BENCH_CACHE")
    try:
        return (
            Path(named).expanduser()
            if named
            else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
            / "datacentric-bench"
        )
    except RuntimeError:  # there is no home folder, so there is no place for one
        return Path(os.devnull) / "datacentric-bench"
