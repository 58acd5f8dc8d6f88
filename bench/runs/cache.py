"""A cache folder that can be used: the user's, else a temporary one."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

from bench.errors import EnvironmentFault
from bench.plugins.cache_folder import cache_folder
from bench.texts import escaped

_PROBE = 4096
"""Bytes that are written to see whether there is room."""


def ready_cache(local: bool = True) -> str:
    """See that the cache folder can be written; if not, take a temporary one until this process
    ends, and return what there is to say of it.

    Runs keep there what many of them share, so without a cache each of them would fail for a reason
    that is no method's.

    Args:
        local: whether runs run on this machine alone; others would not find a temporary folder.

    Raises:
        EnvironmentFault: no folder can be written.
    """
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * _PROBE)
        return ""
    except OSError as error:
        why = (
            f"the cache folder {escaped(str(folder))!r} can't be used "
            f"({error.strerror or type(error).__name__})"
        )
    if not local:
        raise EnvironmentFault(f"{why}; name one that every machine can write with BENCH_CACHE.")
    try:
        temporary = tempfile.mkdtemp(prefix="bench-cache-")
    except OSError as error:
        raise EnvironmentFault(
            f"{why}, and neither can a temporary folder ({error.strerror or error}); name a "
            "folder with BENCH_CACHE."
        ) from None
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    os.environ["BENCH_CACHE"] = temporary
    return (
        f"{why}; a temporary one is used, so that the next command finds nothing in it. Name "
        "another with BENCH_CACHE."
    )
