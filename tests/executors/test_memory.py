"""Freed memory stays while a measurement runs, and goes back to the system after it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

MEASURE = """
import os
import torch
from bench.executors import memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

large = 64 * 2**20
before = resident()
torch.ones(large // 4)
assert resident() - before < large / 2, "stays before"
with memory.kept():
    torch.ones(large // 4)
    assert resident() - before > large / 2, "goes back inside"
torch.ones(large)
assert resident() - before < 2 * large, "stays after"
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_large_tensor_that_is_freed_stays_with_the_process_inside_alone():
    if not os.confstr("CS_GNU_LIBC_VERSION"):
        pytest.skip("another C library than glibc is left as it is")
    # a fresh process: what earlier tests freed may lie in the heap of this one
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
