"""What glibc's ``malloc`` does with freed memory, for measurements in a process that is no run."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator

from bench.executors.connection import PINNED

# Numbers from malloc.h: what can be set, by its variable, and glibc's own default.
_SETTINGS = {
    "MALLOC_MMAP_MAX_": (-4, 65536),
    "MALLOC_TRIM_THRESHOLD_": (-1, 128 * 1024),
}


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Keep freed memory as processes that compute runs do (see ``PINNED``), then let it go again.

    What is timed inside is what a run would take. Another C library than glibc is left as it is.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        yield
        return
    for name, (setting, _) in _SETTINGS.items():
        mallopt(setting, int(PINNED[name]))
    try:
        yield
    finally:
        for setting, default in _SETTINGS.values():
            mallopt(setting, default)
