"""Who descends from whom: one look at every process, and killing what belongs to a run."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

import psutil

OWNER = "BENCH_OWNER"
"""Environment variable of the fork server and of all that descends from
it: the driver that it belongs to.
"""
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Process(NamedTuple):
    """A process as the system shows it."""

    pid: int
    parent: int
    session: int
    cpu: float
    """Seconds of processor time: its own, and of the children it has waited for."""
    resident: int
    """Bytes in memory, shared ones included."""
    started: int
    """When it started, in the system's own unit: tells it from a later
    process of the same number.
    """
    dead: bool
    """It has ended and nobody has asked yet how."""


def table() -> dict[int, Process]:
    """Return every process by its number."""
    if sys.platform != "linux":
        return _portable_table()
    found = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - several times a second
        if name.isdigit() and (process := look(int(name))) is not None:
            found[process.pid] = process
    return found


def descendants(root: int) -> dict[int, Process]:
    """Return what descends from a process, by number, without a look at all of the machine.

    A process may be missed while another of its parent's children ends, until the next call.
    """
    if not os.path.exists(f"/proc/{root}/task/{root}/children"):  # noqa: PTH110
        return table()  # not Linux, or a kernel that does not tell
    found: dict[int, Process] = {}
    queue = [root]
    while queue:
        for pid in _children(queue.pop()):
            if pid not in found and (process := look(pid)) is not None:
                found[pid] = process
                queue.append(pid)
    return found


def _children(pid: int) -> list[int]:
    """Return the numbers of the processes that the threads of one have started. Linux only."""
    numbers: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            with (
                contextlib.suppress(OSError),
                open(f"/proc/{pid}/task/{thread}/children", "rb") as file,  # noqa: PTH123
            ):
                numbers += map(int, file.read().split())
    return numbers


def look(pid: int) -> Process | None:
    """Return one process; None where there is none (any more). Linux only."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    cpu = sum(map(int, fields[11:15])) / _TICKS
    return Process(
        pid,
        int(fields[1]),
        int(fields[3]),
        cpu,
        int(fields[21]) * _PAGE,
        int(fields[19]),
        fields[0] in (b"Z", b"X"),
    )


def _portable_table() -> dict[int, Process]:
    found = {}
    for item in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError), item.oneshot():
            times = item.cpu_times()
            found[item.pid] = Process(
                item.pid,
                item.ppid(),
                os.getsid(item.pid),
                times.user + times.system,
                item.memory_info().rss,
                int(item.create_time()),
                False,
            )
    return found


def families(
    found: dict[int, Process], server: int, roots: Collection[int]
) -> tuple[dict[int, list[Process]], list[Process]]:
    """Return the living members of each root's family, and the strays: living descendants of the
    server that belong to no root.

    A process whose parent died comes to the server, which is their subreaper. It still belongs to
    the root whose session it is in; one that left the session too is a stray.
    """
    children: dict[int, list[Process]] = {}
    for process in found.values():
        children.setdefault(process.parent, []).append(process)
    members: dict[int, list[Process]] = {root: [] for root in roots}
    strays: list[Process] = []
    for top in children.get(server, []):
        family = members.get(top.pid, members.get(top.session, strays))
        queue = [top]
        while queue:
            process = queue.pop()
            queue += children.get(process.pid, [])
            if not process.dead:
                family.append(process)
    return members, strays


def kill(processes: Iterable[Process]) -> None:
    """Kill processes at once and for sure."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, signal.SIGKILL)


def held(pid: int) -> int:
    """Return the bytes that a process holds of its own: its part of anonymous and shared memory,
    without files that can be read again.
    """
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:  # noqa: PTH123
            lines = dict(line.split(b":", 1) for line in file.read().splitlines()[1:])
        return sum(int(lines[name].split()[0]) for name in (b"Pss_Anon", b"Pss_Shmem")) * 1024
    except (OSError, KeyError):
        pass
    with contextlib.suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


def data_size() -> int:
    """Return the bytes of this process that RLIMIT_DATA counts; 0 where the system does not say."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0


def cuda_started() -> bool:
    """Say whether something in this process has started CUDA, after which none forked from it can
    use a GPU.

    Starts nothing itself.
    """
    if sys.platform != "linux":
        return False
    try:
        driver = ctypes.CDLL("libcuda.so.1", mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
    except OSError:  # nobody has even loaded it
        return False
    # else it answers that it was not initialised
    return bool(driver.cuDeviceGetCount(ctypes.byref(ctypes.c_int())) == 0)


def name_of_owner() -> str:
    """Return the name under which what this process starts can be found, also when its parents are
    gone: number, start and name space of numbers.
    """
    process = look(os.getpid()) if sys.platform == "linux" else None
    return f"{os.getpid()}.{process.started if process else 0}.{_space()}"


def _space() -> str:
    """Return what tells this process's numbers from those of other containers."""
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return "0"


def bury(owner: str | None = None) -> None:
    """Kill what is left of the servers of ``owner``; of every driver that is gone where None is
    given.

    Linux only.
    """
    for _ in range(50):
        found = table() if sys.platform == "linux" else {}
        left = [
            process
            for process in found.values()
            if not process.dead and process.pid != os.getpid() and _belongs(process, owner, found)
        ]
        if not left:
            return
        kill(left)
        time.sleep(0.01)


def _belongs(process: Process, owner: str | None, found: dict[int, Process]) -> bool:
    try:
        with open(f"/proc/{process.pid}/environ", "rb") as file:  # noqa: PTH123
            entries = [
                entry
                for entry in file.read().split(b"\0")
                if entry.startswith(OWNER.encode() + b"=")
            ]
    except OSError:
        return False
    if not entries:
        return False
    name = entries[0].partition(b"=")[2].decode(errors="replace")
    if owner is not None:
        return name == owner
    pid, started, space = [*name.split("."), "", "", ""][:3]
    if space != _space() or not pid.isdigit():
        return False  # another container's: whether its driver lives can't be seen from here
    driver = found.get(int(pid))
    return driver is None or driver.dead or str(driver.started) != started
