"""Files and folders as the store handles them: links are never followed,
and only what a record names is taken.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from pathlib import Path

from bench.runs.record import Record


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder, without following links."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def copy_named(record: Record, source: Path, target: Path) -> bool:
    """Copy the files that ``record`` names, plain files only; whatever else a run left there stays
    behind.

    False: there is none.
    """
    names = {*filter(None, [record.arrays]), *record.images.values()}
    found = [
        name
        for name in sorted(names)
        if not source.is_symlink() and stat.S_ISREG(_mode(source / name))
    ]
    if not found:
        return False
    target.mkdir()
    for name in found:
        shutil.copyfile(source / name, target / name, follow_symlinks=False)
    return True


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except OSError:
        return 0


def alive(process: int) -> bool:
    """Say whether a process of this machine is running, as far as one may know."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
