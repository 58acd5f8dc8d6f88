"""What a run may use: time, memory, a share of a GPU."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

import msgspec

from bench.errors import ParameterError, UsageError

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_SHARE = 0.9
"""The part of the machine's memory that all runs together may hold where no limit is given."""
_LEAST = 2**30
_MOST = 2.0**50
"""More than any machine has; what is larger would not fit the system's own numbers."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one run; a stack of seeds gets the times once for each seed. None: no limit."""

    wall: float | None = None
    """Seconds on the clock."""
    cpu: float | None = None
    """Seconds of processor time, of the run and of everything it started."""
    memory: int | None = None
    """Bytes of host memory beyond what the fork server holds when the run begins."""
    gpu_memory: int | None = None
    """Bytes of GPU memory; None: an even share of the GPU for each of the
    ``per_gpu`` runs on it.
    """
    per_gpu: int = 1
    """Runs at a time on one GPU."""

    def __post_init__(self) -> None:
        """Refuse what no clock or memory ever exceeds, such as NaN.

        Raises:
            ParameterError: a limit is not finite, or not above 0.
        """
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ParameterError(
                    f"the limit {name} is {value}; give a finite number above "
                    f"0{' or None for no limit' * (name != 'per_gpu')}."
                )


def parse_size(text: str, option: str) -> int | None:
    """Read ``512M``, ``1.5GiB`` or a number of bytes; ``none`` is None. Units are powers of 1024.

    Raises:
        UsageError: the text is no size, or less than a MiB.
    """
    if text.strip().lower() == "none":
        return None
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"{option} got {text!r}; give a size like 512M or 4GiB, or none for no limit."
        )
    size = int(min(float(match[1]) * _UNITS[match[2].lower()], _MOST))
    if size < 2**20:
        raise UsageError(
            f"{option} got {text!r}, which is less than a MiB; give a size like 512M or 4GiB, or "
            "none for no limit."
        )
    return size


def fair_memory(parallel: int) -> int:
    """Return the default limit of a run's memory: an even share of nine
    tenths of this machine's, at least 1 GiB.
    """
    return max(_LEAST, int(_SHARE * machine_memory() / parallel))


def machine_memory() -> int:
    """Return the bytes of memory that this process and its like can have:
    the machine's, or its container's if that is less.
    """
    found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(name).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            found = min(found, int(text))
    return found
