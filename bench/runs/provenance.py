"""What computed a number: versions, machine, code. Read without importing torch."""

from __future__ import annotations

import functools
import importlib.util
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.errors import EnvironmentFault, UsageError
from bench.instructions import VARIABLE, limited
from bench.plugins.installed import distribution_of, version_of
from bench.runs.git import GitRefused, git
from bench.runs.kernels import kernels

THREADS = 1
"""Threads of one run: 1 and 2 threads give different bits."""


def versions(libraries: tuple[str, ...]) -> dict[str, str]:
    """Return the installed version of each import name; ``"missing"`` where it is not installed."""
    return {name: _version(name) for name in libraries}


@functools.cache
def _distributions() -> dict[str, list[str]]:
    from importlib.metadata import packages_distributions

    return dict(packages_distributions())


@functools.cache
def _version(name: str) -> str:
    for candidate in (name, distribution_of(name)):
        if (found := version_of(candidate)) is not None:
            return found
    # asked first: the table of all distributions takes a third of a second
    if importlib.util.find_spec(name) is None:
        return "missing"
    for distribution in _distributions().get(name, []):
        if (found := version_of(distribution)) is not None:
            return found
    return "present"


def missing(libraries: Iterable[str]) -> list[str]:
    """Return those of the import names that are not installed."""
    return [name for name in libraries if versions((name,))[name] == "missing"]


def _cpuinfo() -> str:
    file = Path("/proc/cpuinfo")
    return file.read_text("utf-8", "replace") if file.is_file() else ""


@functools.cache
def cpu() -> dict[str, str]:
    """Return the processor's model, its model with its flags, and the instruction classes.

    ``class`` is that of the instructions that compute, which decide the bits of a float sum;
    ``own`` is the processor's. They differ where :mod:`bench.instructions` limits them.

    Raises:
        EnvironmentFault: the processor does not have the instructions asked for.
    """
    text = _cpuinfo()
    model = re.search(r"model name\s*: (.*)", text)
    vendor = re.search(r"vendor_id\s*: (.*)", text)
    flags = set((re.search(r"flags\s*: (.*)", text) or [""])[0].split())
    level = (
        "avx512"
        if {"avx512f", "avx512bw", "avx512vl", "avx512dq"} <= flags
        else "avx2"
        if {"avx2", "fma"} <= flags
        else "base"
    )
    asked = limited()
    if asked and level == "base":
        raise EnvironmentFault(
            f"{VARIABLE} is {asked}, which this processor does not have; unset it."
        )
    kind = f"{platform.machine()}-{vendor[1] if vendor else 'unknown'}"
    return {
        "model": model[1] if model else platform.processor() or platform.machine(),
        "id": f"{model[1] if model else platform.processor()} {' '.join(sorted(flags))}",
        "class": f"{kind}-{asked or level}",
        "own": f"{kind}-{level}",
    }


_PROBE = """
import json, torch
found = None
if torch.cuda.is_available():
    name, capability = torch.cuda.get_device_name(0), torch.cuda.get_device_capability(0)
    found = {"name": name, "capability": list(capability), "cuda": torch.version.cuda}
print(json.dumps(found))
"""


@functools.cache
def gpu() -> dict[str, Any] | None:
    """Return name, capability and CUDA version of the first GPU, asked in
    a process of its own; None where there is none.
    """
    if not Path("/dev/nvidiactl").exists() and sys.platform != "win32":
        return None
    import json

    done = subprocess.run(
        [sys.executable, "-c", _PROBE], capture_output=True, text=True, check=False, timeout=120
    )
    found: dict[str, Any] | None = (
        json.loads(done.stdout.splitlines()[-1])
        if done.returncode == 0 and done.stdout.strip()
        else None
    )
    return found


def choose_device(wish: str) -> str:
    """Return ``cpu`` or ``cuda`` for ``auto``, ``cpu`` or ``cuda``.

    Raises:
        EnvironmentFault: ``cuda`` is wished and there is none.
    """
    if wish not in ("auto", "cpu", "cuda"):
        raise UsageError(f"unknown device {wish!r}; give auto, cpu or cuda.")
    if wish == "cpu":
        return "cpu"
    if gpu() is not None:
        return "cuda"
    if wish == "cuda":
        raise EnvironmentFault(
            "no CUDA device is found, so --device cuda can't run; use --device cpu, or install a "
            "torch build for your GPU."
        )
    return "cpu"


def environment(device: str, libraries: Iterable[str]) -> dict[str, Any]:
    """Return what of the environment belongs to the key: versions, threads, instruction class,
    kernels, and the GPU if one computes.

    Raises:
        EnvironmentFault: NumPy, SciPy or torch can't be loaded.
    """
    found: dict[str, Any] = {
        "versions": versions(tuple(sorted({"torch", "numpy", *libraries}))),
        "threads": THREADS,
        "cpu": cpu()["class"],
    }
    found["kernels"] = kernels_here(device)
    if device == "cuda":
        found["gpu"] = gpu()
    return found


def kernels_here(device: str = "cpu") -> dict[str, str]:
    """Return the kernels of NumPy, SciPy and torch on this machine; see
    :func:`bench.runs.kernels.kernels`.
    """
    return kernels(versions(("numpy", "scipy", "torch")), cpu()["id"], device)


@functools.cache
def inventory(device: str) -> dict[str, Any]:
    """Return the environment with the version of everything installed, for
    :func:`selected`: so another machine is asked once.
    """
    from importlib.metadata import distributions

    names = {
        *_distributions(),
        *(item.metadata["Name"] for item in distributions() if item.metadata["Name"]),
    }
    return environment(device, names)


def selected(found: dict[str, Any], libraries: Iterable[str]) -> dict[str, Any]:
    """Return what :func:`environment` says on the machine whose inventory this is."""
    return {
        **found,
        "versions": {
            name: found["versions"].get(name, "missing")
            for name in sorted({"torch", "numpy", *libraries})
        },
    }


@functools.cache
def git_state(folder: str) -> dict[str, Any]:
    """Return the commit of the repository that ``folder`` lies in and
    whether it has uncommitted changes; empty outside one.
    """

    def ask(*arguments: str) -> str | None:
        try:
            return git(folder, *arguments, patience=20)
        except GitRefused:
            return None

    commit = ask("rev-parse", "HEAD")
    return (
        {}
        if not commit
        else {"commit": commit, "dirty": bool(ask("status", "--porcelain", "--untracked-files=no"))}
    )


@functools.cache
def machine() -> dict[str, Any]:
    """Return what describes the machine and does not belong to the key."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "cpu": cpu()["model"],
        **({"limited_from": cpu()["own"]} if cpu()["own"] != cpu()["class"] else {}),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "runner": "ci" if os.environ.get("CI") else "local",
    }
