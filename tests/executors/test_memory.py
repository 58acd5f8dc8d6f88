"""Freed memory stays while a measurement runs, and goes back to the system after it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

from bench.executors import memory

LARGE = 64 * 2**20


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_large_tensor_that_is_freed_stays_with_the_process_inside_alone():
    if not os.confstr("CS_GNU_LIBC_VERSION"):
        pytest.skip("another C library than glibc is left as it is")
    before = resident()
    torch.ones(LARGE // 4)
    assert resident() - before < LARGE / 2
    with memory.kept():
        torch.ones(LARGE // 4)
        assert resident() - before > LARGE / 2
    torch.ones(LARGE)
    assert resident() - before < 2 * LARGE
