"""What of a hidden part can be reached from what a method is handed, by following references and
nothing else.

Followed are attributes, private ones too, slots, items, closure cells, default values, what a bound
method is bound to, what a class holds, and of tensors ``_base``, ``grad`` and the graph of their
gradient. Modules, the globals of functions, frames and the garbage collector are not: no process
hides these from its own code.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import types
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
import numpy as np

from bench.contracts import Case
from bench.runs.context import Run, Setup
from bench.runs.isolation import Memory, attributes, is_tensor, spans

_PLAIN = (type(None), bool, int, float, complex, np.generic)
_ENDS = (
    types.ModuleType,
    types.FrameType,
    types.TracebackType,
    types.CodeType,
    types.GeneratorType,
    types.CoroutineType,
)
_LIBRARIES = (
    "builtins",
    "torch",
    "numpy",
    "msgspec",
    "typing",
    "collections",
    "abc",
    "functools",
    "types",
    "pathlib",
    "enum",
    "contextlib",
    "weakref",
)
_TEXT = 20
"""Characters from which a text counts as one of a kind: shorter ones, like
names of classes, are equal by chance.
"""


def reached(handed: Mapping[str, Any], hidden: Iterable[Any]) -> list[str]:
    """Say by which way each leaf of hidden parts can be reached, in the order of the ways' length;
    nothing where none can.

    Args:
        handed: what the method is given, by the name under which it knows it.
        hidden: the hidden parts of the cases, whatever they are made of.
    """
    leaves = {
        id(value): (value, path)
        for part in hidden
        for path, value in walk({"hidden": part}, lambda _, value: isinstance(value, type))
        if _counts(value)
    }
    memory = Memory(
        span for value, _ in leaves.values() if is_tensor(value) for span in spans(value)
    )
    found: list[str] = []

    def caught(path: str, value: Any) -> bool:
        if id(value) in leaves:
            found.append(f"{path} is {leaves[id(value)][1]}")
        elif is_tensor(value) and memory.meets(value):
            shared = next(
                place
                for leaf, place in leaves.values()
                if is_tensor(leaf) and Memory(spans(leaf)).meets(value)
            )
            found.append(f"{path} shares memory with {shared}")
        elif isinstance(value, Case | Setup):
            case = isinstance(value, Case)
            what = "a case" if case else "the run of a task, which loads datasets"
            found.append(f"{path} is {what}")
        else:
            return False
        return True

    for _ in walk(handed, caught):
        pass
    return found


def _counts(value: Any) -> bool:
    """Say whether meeting an object of a hidden part gives it away: data,
    and whatever else can be changed or is one of a kind.
    """
    if isinstance(value, str | bytes):
        return len(value) >= _TEXT
    if isinstance(value, msgspec.Struct):
        return not type(value).__struct_config__.frozen
    return is_tensor(value) or not isinstance(
        value,
        (
            *_PLAIN,
            *_ENDS,
            tuple,
            frozenset,
            type,
            types.FunctionType,
            types.BuiltinFunctionType,
            types.MethodType,
        ),
    )


def walk(
    start: Mapping[str, Any], ends: Callable[[str, Any], bool] = lambda *_: False
) -> Iterator[tuple[str, Any]]:
    """Yield every object that can be reached from some, nearest first, each once, with the way to
    it; go no further where ``ends`` says so.
    """
    seen: dict[int, Any] = {}
    ways = [(name, value) for name, value in start.items()]
    while ways:
        following: list[tuple[str, Any]] = []
        for path, value in ways:
            if id(value) in seen or isinstance(value, (*_PLAIN, *_ENDS)):
                continue
            seen[id(value)] = value  # kept alive, so that no other object gets its number
            yield path, value
            if ends(path, value):
                continue
            following += [(f"{path}{step}", part) for step, part in _steps(value)]
        ways = following


def _steps(value: Any) -> Iterator[tuple[str, Any]]:
    match value:
        case str() | bytes() | bytearray() | range():
            return
        case dict() | types.MappingProxyType():
            for key, part in value.items():
                yield f"[{key!r}]" if isinstance(key, str | int) else "[...]", part
                yield ".keys()", key
        case list() | tuple() | set() | frozenset():
            yield from ((f"[{position}]", part) for position, part in enumerate(value))
        case types.FunctionType():
            yield from _of_function(value)
        case types.MethodType() | types.BuiltinFunctionType() | types.MethodWrapperType():
            yield ".__self__", value.__self__
            yield ".__func__", getattr(value, "__func__", None)
        case functools.partial():
            yield from ((".func", value.func), (".args", value.args), (".keywords", value.keywords))
        case property() | classmethod() | staticmethod():
            yield from (
                (f".{name}", getattr(value, name, None))
                for name in ("fget", "fset", "fdel", "__func__")
            )
        case weakref.ReferenceType():
            yield "()", value()
            yield ".__callback__", value.__callback__
        case type():
            yield from _of_class(value)
            return
    if is_tensor(value):
        yield from _of_tensor(value)
    elif hasattr(value, "next_functions"):
        yield from _of_gradient(value)
    elif not isinstance(value, dict | list | tuple | set | frozenset | types.FunctionType):
        yield from _of_object(value)
    yield ".__class__", type(value)


def _of_object(value: Any) -> Iterator[tuple[str, Any]]:
    held = attributes(value)
    yield from ((f".{name}", part) for name, part in held.items())
    if isinstance(value, Mapping | list | tuple | set | frozenset):  # of a class of its own
        yield ".items", list(value.items()) if isinstance(value, Mapping) else list(value)
    # written in C: what it holds, it only tells the collector
    if not held and type(value).__module__ != "torch":
        yield from (
            ("<held>", part) for part in gc.get_referents(value) if not isinstance(part, type)
        )


def _of_function(value: types.FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # not filled yet
            yield f".__closure__[{name}]", cell.cell_contents
    yield from (
        (f".{name}", getattr(value, name))
        for name in ("__defaults__", "__kwdefaults__", "__dict__")
    )


def _of_class(value: type) -> Iterator[tuple[str, Any]]:
    if value.__module__.partition(".")[0] not in _LIBRARIES:
        yield from (
            (f".{name}", part)
            for name, part in vars(value).items()
            if name not in ("__dict__", "__weakref__", "__doc__", "__module__")
        )
        yield from (
            (f".__bases__[{position}]", base) for position, base in enumerate(value.__bases__)
        )


def _of_tensor(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, np.ndarray):
        yield ".base", value.base
        if value.dtype.hasobject:
            yield ".items", value.ravel().tolist()
        return
    yield "._base", value._base
    yield ".grad_fn", value.grad_fn
    yield ".grad", value.grad if value.is_leaf else None
    yield ".__dict__", getattr(value, "__dict__", None)
    yield "._backward_hooks", value._backward_hooks


def _of_gradient(value: Any) -> Iterator[tuple[str, Any]]:
    yield ".next_functions", value.next_functions
    yield ".variable", getattr(value, "variable", None)
    for name in dir(value):
        if name.startswith("_saved_") or name == "saved_tensors":
            with contextlib.suppress(RuntimeError):  # freed by a backward pass
                yield f".{name}", getattr(value, name)
    yield ".__dict__", getattr(value, "__dict__", None)


@contextlib.contextmanager
def spied() -> Iterator[dict[str, None]]:
    """Look, while runs go on in this process, at all that methods are handed, before and after they
    solve; yield the ways to hidden parts that were found.

    Looked at are the problems, the runs, the runs of which these are made (to build an artifact),
    and the method. A reference is handed the hidden part itself, and is not looked at; its problems
    and runs are, so that it leaves nothing of it there.
    """
    from bench.runs.worker import Worker

    found: dict[str, None] = {}
    solutions, make = Worker._solutions, Run.__init__

    def looking(worker: Worker, seed_runs: list[Any], *others: Any) -> list[list[Any]]:
        made: list[Run] = []

        def noting(run: Run, **arguments: Any) -> None:
            make(run, **arguments)
            made.append(run)

        def look() -> None:
            handed = {
                "problems": [seed_run.case.problems for seed_run in seed_runs],
                "runs": [seed_run.runs for seed_run in seed_runs],
            }
            found.update(
                dict.fromkeys(
                    reached(
                        {**handed, "made": made, "method": worker.method},
                        [seed_run.case.hidden for seed_run in seed_runs],
                    )
                )
            )

        look()
        Run.__init__ = noting  # type: ignore[assignment, method-assign]
        try:
            return solutions(worker, seed_runs, *others)
        finally:
            Run.__init__ = make  # type: ignore[method-assign]
            look()

    Worker._solutions = looking  # type: ignore[assignment, method-assign]
    try:
        yield found
    finally:
        Worker._solutions = solutions  # type: ignore[method-assign]
