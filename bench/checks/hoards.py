"""Whether a method keeps rows of a stream beyond their task, in whatever holds them when it
reports: its variables and all that they lead to. The store alone may keep rows.

Like all checks within one process this stops accidents, not malice: rows that were changed, or
stand where nothing leads to, are not found.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial
from types import FrameType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch

from bench.errors import InvalidRun
from bench.runs.isolation import attributes
from bench.training.memory import Memory
from bench.training.stream import Stream

_HARNESS = ("bench.checks", "bench.runs", "bench.errors")
_OTHERS = ("bench", "builtins", "torch", "numpy", "scipy", "sklearn", "msgspec")
_MOST = 100_000
"""Objects that are looked at."""


def check_hoards(stream: Stream, where: str) -> None:
    """Raise InvalidRun if the method that reports holds rows of tasks before the last that it was
    shown, and that are not in its store; of a method with a store, more than it may have drawn for
    its last step.

    Args:
        stream: that the method reads.
        where: ends the sentence about what is wrong.
    """
    known: dict[bytes, int] = {}  # a row -> the last task that shows it
    for t, x in enumerate(stream._x[: stream._ended + 1 if stream._ended >= 0 else None]):
        known |= dict.fromkeys(_rows(x, x[0].numel()), t)
    width, stores = stream._x[0][0].numel(), list[torch.Tensor]()
    found: dict[bytes, str] = {}
    for name, value in _held(stores):
        for row in _rows(value, width):
            if row in known:
                found.setdefault(row, name)
    for rows in stores:
        for row in _rows(rows, width):
            found.pop(row, None)
    last = stream._ended if stream._ended >= 0 else max((known[row] for row in found), default=0)
    early = [name for row, name in found.items() if known[row] < last]
    if len(early) > (2 * stream.batch_size if stores else 0):
        raise InvalidRun(
            f"the method holds {len(early)} rows of earlier tasks of the stream {where}, in "
            f"{max(set(early), key=early.count)!r}; the store is the only memory, so keep them "
            "there, as problem.memory has it for methods that need 'memory'."
        )


def _rows(value: Any, width: int) -> list[bytes]:
    """Return the rows of a tensor or array that is made of rows of this many numbers, as their
    bits; rows of one number throughout are nobody's.
    """
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided or value.is_meta or value.is_quantized:
            return []
        value = value.detach().float().cpu().numpy()
    if not value.size or value.size % width:
        return []
    rows = np.ascontiguousarray(value.reshape(-1, width), dtype=np.float32) + np.float32(0)
    return [row.tobytes() for row in rows[(rows != rows[:, :1]).any(1)]]


def _held(stores: list[torch.Tensor]) -> Iterator[tuple[str, Any]]:
    """Yield the tensors and arrays of floats that the method's variables lead to, with the name of
    the variable; what is in a store is added to ``stores`` instead.
    """
    waiting, seen = deque(_variables()), dict[int, Any]()
    while waiting and len(seen) < _MOST:
        name, value = waiting.popleft()
        if value is None or id(value) in seen or isinstance(value, str | bytes | int | float):
            continue
        seen[id(value)] = value
        if isinstance(value, Memory):
            stores.append(value.x)
        elif isinstance(value, torch.Tensor):
            if value.is_floating_point():
                yield name, value
        elif isinstance(value, np.ndarray):
            if value.dtype.kind == "f":
                yield name, value
        else:
            waiting.extend((name, part) for part in _parts(value))


def _parts(value: Any) -> Iterator[Any]:
    """Yield what an object holds; of streams, runs and what belongs to the harness nothing."""
    if isinstance(value, Stream | ModuleType | type):
        return
    if isinstance(value, Mapping):
        yield from value.keys()
        yield from value.values()
    elif isinstance(value, list | tuple | set | frozenset | deque):
        yield from value
    elif isinstance(value, FunctionType):
        for cell in value.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # it is empty yet
                continue
        yield from value.__defaults__ or ()
    elif isinstance(value, MethodType):
        yield value.__self__
    elif isinstance(value, partial):
        yield from (*value.args, *value.keywords.values())
    elif type(value).__module__ != "builtins" and not _of_harness(type(value).__module__):
        yield from attributes(value).values()


def _of_harness(module: str) -> bool:
    return module.startswith(_HARNESS)


def _variables() -> list[tuple[str, Any]]:
    """Return the variables of the functions between the report and the harness that called the
    method, and the containers and tensors of the modules of plugins that these stand in.
    """
    found: list[tuple[str, Any]] = []
    modules: dict[str, ModuleType | None] = {}
    frame: FrameType | None = sys._getframe()
    inside = False
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if _of_harness(name):
            if inside:
                break
        else:
            inside = True
            local = frame.f_locals
            found += local.items()
            names = [name, *(type(value).__module__ for value in local.values())]
            modules |= {own: sys.modules.get(own) for own in names if _is_plugin(own)}
        frame = frame.f_back
    for module in filter(None, modules.values()):
        found += [
            (name, value)
            for name, value in vars(module).items()
            if isinstance(value, torch.Tensor | np.ndarray | list | dict | set | deque)
            and not name.startswith("__")
        ]
    return found


def _is_plugin(name: str) -> bool:
    first = name.partition(".")[0]
    return first not in _OTHERS and first not in sys.stdlib_module_names
