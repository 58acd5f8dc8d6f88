"""A digest of all that a solution holds, so that two passes of one run can
be held against each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import msgspec

from bench.runs.context import Run
from bench.runs.guard import leaf_digest
from bench.runs.isolation import attributes, is_tensor
from bench.runs.spec import RunSpec


class Solved(msgspec.Struct, frozen=True):
    """What is known of a first pass: the digest of its solutions, and the
    specs that it took together.
    """

    digest: str
    specs: tuple[RunSpec, ...]


_PLAIN = (str, bytes, int, float, complex, bool)


def digest_of(value: Any) -> str:
    """Return a digest of every tensor, array and plain value that is reached through records,
    containers, modules, closures and bound methods.

    Two objects that compute the same from the same numbers have the same digest; runs, modules of
    code, hooks of nets (torch numbers them by the process) and seconds by the clock are left out.
    """
    found = hashlib.sha256()
    for part in _leaves(value):
        found.update(part.encode(errors="surrogatepass") + b"\0")
    return found.hexdigest()


def _leaves(value: Any) -> Iterator[str]:
    """Yield what tells values apart, in an order that depends on them alone."""
    waiting, seen = [value], dict[int, Any]()
    while waiting:
        value = waiting.pop()
        if value is None or isinstance(value, _PLAIN):
            yield repr(value)
            continue
        if isinstance(value, type | ModuleType | BuiltinFunctionType | Run):
            yield str(getattr(value, "__qualname__", type(value)))
            continue
        if id(value) in seen:
            yield "again"
            continue
        seen[id(value)] = value  # held, so that no later object gets its number
        if is_tensor(value):
            yield leaf_digest(value)
            continue
        yield type(value).__qualname__
        waiting += reversed(_inside(value))


def _inside(value: Any) -> list[Any]:
    """Return what a value is made of."""
    if isinstance(value, Mapping):
        return [
            part for name, own in value.items() if not _clock(name, own) for part in (name, own)
        ]
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, set | frozenset):
        return sorted(map(digest_of, value))
    if isinstance(value, partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, MethodType):
        return [value.__func__, value.__self__]
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or () if _full(cell)]
        return [value.__qualname__, value.__defaults__, value.__kwdefaults__, *cells]
    return [
        part
        for name, own in attributes(value).items()
        if "hook" not in name and not _clock(name, own)
        for part in (name, own)
    ]


def _clock(name: Any, value: Any) -> bool:
    """Say whether a part holds seconds, which no two passes agree on: a
    number called ``..._s``, or anything called ``seconds``.
    """
    return isinstance(name, str) and (
        name == "seconds" or (isinstance(value, float) and name.endswith(("_s", "_seconds")))
    )


def _full(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - an empty one raises
    except ValueError:
        return False
    return True
