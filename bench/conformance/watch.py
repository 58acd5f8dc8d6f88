"""What a run does that no record shows: files it writes, addresses it asks
for, examples its modules see.
"""

from __future__ import annotations

import contextlib
import glob
import math
import os
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.runs.guard import fingerprint, leaf_digest, leaves
from bench.training.stack import StackedNet

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_PATHS = {
    "os.mkdir": 0,
    "os.remove": 0,
    "os.rmdir": 0,
    "os.rename": 1,
    "os.link": 1,
    "os.symlink": 1,
    "os.truncate": 0,
    "os.chmod": 0,
    "shutil.rmtree": 0,
}
_NETWORK = ("socket.connect", "socket.getaddrinfo", "urllib.Request")
_TEMPORARY = os.path.realpath(tempfile.gettempdir())
_STANDARD = (os.path.realpath(sysconfig.get_path("stdlib")), "<frozen os>")
_INSTALLED = ("site-packages", "dist-packages")
_HOMES = tuple(str(Path(m.__file__).absolute().parents[1]) for m in (torch, np) if m.__file__)
"""Where torch and NumPy are installed."""
_MOST, _DEEPEST = 20_000, 4
"""Files that are compared in a folder and those below it, and how far below."""
_ROWS = 10
"""Values of an array of a hidden part from which it counts as rows."""
_active: list[Watch] = []
_installed = False


class Watch:
    """Notes what the code of a plugin does meanwhile.

    An audit hook can't be taken out of a process: it stays, and does nothing.
    """

    def __init__(self, homes: Sequence[Path], allowed: Sequence[Path]) -> None:
        self.homes = tuple(str(path.resolve()) for path in homes)
        self.allowed = tuple(str(path.resolve()) for path in allowed)
        self._folders = [
            str(Path.cwd()),
            *(str(home if home.is_dir() else home.parent) for home in map(Path, self.homes)),
        ]
        self._before: dict[str, tuple[int, ...]] = {}
        self.written: dict[str, None] = {}
        self.asked: dict[str, None] = {}

    def __enter__(self) -> Watch:
        global _installed
        if not _installed:
            sys.addaudithook(_hear)
            _installed = True
        _active.append(self)
        self._before = self._files()
        return self

    def __exit__(self, *_: object) -> None:
        _active.remove(self)
        changed = {
            path: state for path, state in self._files().items() if self._before.get(path) != state
        }  # C++, as of torch.save, opens files without an event
        others = _held_by_others() if changed else set()
        self.written |= dict.fromkeys(
            path for path, state in changed.items() if state[:2] not in others
        )

    def _files(self) -> dict[str, tuple[int, ...]]:
        """Return the state of the files where the command started and
        beside the plugin, by path; of very many, the nearest ones.
        """
        found: dict[str, tuple[int, ...]] = {}
        waiting = [(os.path.realpath(folder), 0) for folder in dict.fromkeys(self._folders)]
        while waiting and len(found) < _MOST:
            folder, depth = waiting.pop(0)
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if _inside(entry.path, self.allowed):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting += (
                            [(entry.path, depth + 1)]
                            if depth < _DEEPEST and not _foreign(entry)
                            else []
                        )
                    else:
                        status = entry.stat(follow_symlinks=False)
                        found[entry.path] = (
                            status.st_dev,
                            status.st_ino,
                            status.st_size,
                            status.st_mtime_ns,
                        )
        return found

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note an event that the plugin's code is the cause of."""
        if event in _NETWORK:
            if self._mine():
                self.asked[_address(event, arguments)] = None
            return
        path = (
            arguments[0]
            if event == "open" and _writes(arguments)
            else arguments[_PATHS[event]]
            if event in _PATHS
            else None
        )
        if isinstance(path, str | bytes | os.PathLike) and self._mine():
            text = os.path.realpath(os.fsdecode(path))
            allowed = (*self.allowed, _TEMPORARY) if _by_library() else self.allowed
            if not text.startswith(("/dev/", "/proc/")) and not _inside(text, allowed):
                self.written[text] = None

    def _mine(self) -> bool:
        frame = sys._getframe(3)
        while frame is not None:
            name = frame.f_code.co_filename
            if _inside(name, self.homes):
                return True
            frame = frame.f_back  # type: ignore[assignment]
        return False


def _inside(path: str, folders: Sequence[str]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


def _foreign(entry: os.DirEntry[str]) -> bool:
    """Say whether a folder is no place for a plugin's files: hidden, compiled, or results of bench,
    which another command may write meanwhile.
    """
    return entry.name.startswith((".", "__pycache__")) or Path(entry.path, "records").is_dir()


def _held_by_others() -> set[tuple[int, ...]]:
    """Return device and number of the files that other processes hold open, or this one for what it
    prints: a log is no doing of the plugin's.
    """
    found: set[tuple[int, ...]] = set()
    mine = f"/proc/{os.getpid()}/fd/"
    for handle in (*glob.glob("/proc/[0-9]*/fd/*"), "/dev/fd/1", "/dev/fd/2"):  # noqa: PTH207 - strings
        with contextlib.suppress(OSError):
            if not handle.startswith(mine):
                status = os.stat(handle)  # noqa: PTH116
                found.add((status.st_dev, status.st_ino))
    return found


def _by_library() -> bool:
    """Say whether an installed library did it of its own accord, as torch
    does with its temporary folders.
    """
    frame = sys._getframe(3)
    while (
        frame.f_back is not None
        and _inside(frame.f_code.co_filename, _STANDARD)
        and not _installed_at(frame.f_code.co_filename)
    ):
        frame = frame.f_back
    return _installed_at(frame.f_code.co_filename)


def _installed_at(path: str) -> bool:
    """Say whether a file belongs to an installed library: Debian calls the folder of these
    otherwise than pip, and torch may lie anywhere.
    """
    return any(name in Path(path).parts for name in _INSTALLED) or _inside(path, _HOMES)


def _writes(arguments: tuple[Any, ...]) -> bool:
    mode, flags = arguments[1], arguments[2]
    return (
        any(letter in mode for letter in "wax+")
        if isinstance(mode, str)
        else bool(isinstance(flags, int) and flags & _WRITES)
    )


def _address(event: str, arguments: tuple[Any, ...]) -> str:
    if event == "socket.getaddrinfo":
        return str(arguments[0])
    return str(arguments[0] if event == "urllib.Request" else arguments[1])


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _active and (event == "open" or event in _PATHS or event in _NETWORK):
        for watch in _active:
            watch.hear(event, arguments)


class Seen:
    """How many examples went into the outermost modules, with a gradient, while a method solved.

    Without one, tokens are generated one by one and data is looked at; what is learnt from has one.
    """

    def __init__(self) -> None:
        self.rows, self.depth, self.paused = 0, 0, 1

    def add(self, module: Any, inputs: tuple[Any, ...]) -> None:
        """Add the examples of one call: the first axis of its first input, in a stack the first
        two, in a batch of graphs the graphs.
        """
        shape = tuple(getattr(inputs[0], "shape", ())) or (getattr(inputs[0], "num_graphs", 0),)
        self.rows += math.prod(shape[: 2 if isinstance(module, StackedNet) else 1])


@contextlib.contextmanager
def answers_seen() -> Iterator[dict[str, str]]:
    """Note the fingerprint of what a method returns and of what it reports of itself, by cell."""
    from bench.runs.worker import Worker

    found: dict[str, str] = {}
    solve = Worker._solve

    def noted(worker: Worker, seed_runs: list[Any]) -> Any:
        answer = solve(worker, seed_runs)
        for seed_run, solutions in zip(seed_runs, answer[0], strict=True):
            found[seed_run.spec.cell] = fingerprint(
                [_opened(solutions), [[run._curve, run._logs] for run in seed_run.runs]]
            )
        return answer

    Worker._solve = noted  # type: ignore[assignment, method-assign]
    try:
        yield found
    finally:
        Worker._solve = solve  # type: ignore[method-assign]


@contextlib.contextmanager
def hidden_seen() -> Iterator[dict[str, dict[str, tuple[int, str]]]]:
    """Note of every array of a hidden part that holds several values its
    number of axes and its digest, by cell and path.
    """
    from bench.runs.worker import Worker

    found: dict[str, dict[str, tuple[int, str]]] = {}
    solutions = Worker._solutions

    def noted(worker: Worker, seed_runs: list[Any], *others: Any) -> list[list[Any]]:
        for seed_run in seed_runs:
            found[seed_run.spec.cell] = {
                path: (leaf.ndim, leaf_digest(leaf))
                for path, leaf in leaves(seed_run.case.hidden)
                if _varied(leaf)
            }
        return solutions(worker, seed_runs, *others)

    Worker._solutions = noted  # type: ignore[assignment, method-assign]
    try:
        yield found
    finally:
        Worker._solutions = solutions  # type: ignore[method-assign]


def _varied(leaf: Any) -> bool:
    """Say whether an array holds different values, and more than a scale or a few sizes: only such
    a one says which rows it came from.
    """
    if isinstance(leaf, torch.Tensor):
        plain = leaf.layout == torch.strided and not leaf.is_quantized and not leaf.is_meta
        return plain and leaf.numel() >= _ROWS and bool((leaf != leaf.reshape(-1)[0]).any())
    return (
        isinstance(leaf, np.ndarray)
        and leaf.size >= _ROWS
        and bool((leaf != leaf.reshape(-1)[0]).any())
    )


def _opened(answer: Any, depth: int = 8) -> dict[str, Any]:
    """Return the leaves of an answer by path; of a function, such as a
    model that is one, what it was made with.
    """
    found: dict[str, Any] = {}
    for path, leaf in leaves(answer):
        held = [cell.cell_contents for cell in getattr(leaf, "__closure__", None) or ()]
        held += [
            part
            for name in ("__self__", "__defaults__", "func", "args", "keywords")
            if (part := getattr(leaf, name, None)) is not None
        ]
        inside = callable(leaf) and held and depth and not isinstance(leaf, type)
        found |= (
            {f"{path}({name})": value for name, value in _opened(held, depth - 1).items()}
            if inside
            else {path: leaf}
        )
    return found


@contextlib.contextmanager
def modules_seen() -> Iterator[Seen]:
    """Count the examples that torch modules see while a method solves;
    what reports and evaluations see is not the method's.
    """
    from torch.nn.modules.module import (
        register_module_forward_hook,
        register_module_forward_pre_hook,
    )

    from bench.runs.worker import Worker
    from bench.runs.worker_tools import WorkerTools

    seen = Seen()

    def before(module: Any, inputs: tuple[Any, ...]) -> None:
        if (
            seen.depth == 0
            and not seen.paused
            and inputs
            and torch.is_grad_enabled()
            and getattr(inputs[0], "grad_fn", None) is None
        ):
            # what another module made of an example is the same visit: a decoder after its encoder
            seen.add(module, inputs)
        seen.depth += 1

    def after(*_: Any) -> None:
        seen.depth -= 1

    def counted(function: Callable[..., Any], step: int) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            seen.paused += step
            try:
                return function(*arguments)
            finally:
                seen.paused -= step

        return call

    handles = [
        register_module_forward_pre_hook(before),
        register_module_forward_hook(after, always_call=True),
    ]
    solve, report = Worker._solve, WorkerTools.report
    Worker._solve, WorkerTools.report = counted(solve, -1), counted(report, 1)  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        Worker._solve, WorkerTools.report = solve, report  # type: ignore[method-assign]
        for handle in handles:
            handle.remove()
