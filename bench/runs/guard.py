"""What catches accidents: fingerprints of inputs, and a look at whether code or global state was
changed.

This stops mistakes, not malice: a method runs in the process of its evaluation.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import operator
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import msgspec

from bench.errors import InvalidRun
from bench.runs.loaded_modules import below


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Walk records, mappings and sequences, yielding the path of every leaf and the leaf."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from leaves(getattr(value, name), f"{path}.{name}" if path else name)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from leaves(
                getattr(value, field.name), f"{path}.{field.name}" if path else field.name
            )
    elif isinstance(value, Mapping):
        for key in value:
            yield from leaves(value[key], f"{path}[{key!r}]")
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            yield from leaves(item, f"{path}[{position}]")
    elif hasattr(value, "to_dict") and callable(value.to_dict):
        yield from leaves(value.to_dict(), path)
    elif hasattr(value, "state_dict") and callable(value.state_dict):
        yield from leaves(dict(value.state_dict()), path)
    else:
        yield path, value


def valueless(tensor: Any) -> bool:
    """Say whether a tensor has a shape and no values: on torch's device
    ``meta``, unless a subclass keeps its values elsewhere.
    """
    return bool(tensor.is_meta) and type(tensor).__module__.partition(".")[0] == "torch"


def no_plain(tensor: Any) -> str:
    """Say what a tensor is that has no values to look at and to keep as they are, after a semicolon
    what makes a plain one of it; empty: it is plain.
    """
    if tensor.is_nested:
        return "a nested tensor; torch.stack or torch.cat makes a plain one of it"
    if str(tensor.layout) != "torch.strided":
        return "a sparse tensor; .to_dense() makes a plain one of it"
    if tensor.is_quantized:
        return "a quantised tensor; .dequantize() makes a plain one of it"
    return "a tensor on the device meta, which holds no values" if valueless(tensor) else ""


def leaf_digest(value: Any, depth: int = 0) -> str:
    """Digest an array or tensor by type, shape and bytes, plain values by themselves, any other
    object by what it holds; code has no digest.
    """
    import numpy as np  # a plan digests nothing, and a command that plans starts without NumPy

    if hasattr(value, "detach"):
        if valueless(value):  # such as the layout of a stack of nets, whose values lie elsewhere
            return leaf_digest(f"{value.dtype}{tuple(value.shape)} meta")
        value = value.detach().cpu()
        if value.is_nested:
            return _digest_of(list(value.unbind()), depth)
        if value.is_quantized:
            value = value.dequantize()
        if str(value.layout) != "torch.strided":
            value = value.to_dense()
        if value.dtype.is_floating_point and str(value.dtype).removeprefix("torch.") not in (
            "float16",
            "float32",
            "float64",
        ):
            return leaf_digest(f"{value.dtype}{tuple(value.shape)}") + leaf_digest(
                value.contiguous().reshape(-1).view(sys.modules["torch"].uint8)
            )
        value = value.numpy()
    if isinstance(value, np.ndarray) and value.dtype.hasobject:  # its bytes are addresses
        return _digest_of([str(value.dtype), list(value.shape), value.reshape(-1).tolist()], depth)
    if isinstance(value, np.ndarray):
        head = f"{value.dtype.str}{value.shape}".encode()
        return hashlib.sha256(head + np.ascontiguousarray(value).tobytes()).hexdigest()
    if isinstance(value, str | int | float | bool | bytes | None):
        return repr(value)
    if isinstance(value, np.generic | complex):
        return f"{type(value).__qualname__} {value!r}"
    if isinstance(value, set | frozenset):
        return _digest_of(sorted(leaf_digest(item, depth + 1) for item in value), depth)
    state = getattr(value, "__dict__", None)
    if (
        isinstance(state, dict)
        and state
        and not callable(value)
        and not isinstance(value, ModuleType)
        and depth < _DEEPEST
    ):
        return f"{type(value).__qualname__} {_digest_of(dict(state), depth)}"
    return type(value).__qualname__


_DEEPEST = 6
"""How far objects are followed that hold others: they may hold themselves."""


def _digest_of(value: Any, depth: int) -> str:
    found = sorted((path, leaf_digest(leaf, depth + 1)) for path, leaf in leaves(value))
    return hashlib.sha256(repr(found).encode()).hexdigest()


def fingerprints(value: Any) -> dict[str, str]:
    """Return the digest of every leaf of ``value`` by path."""
    return {path: leaf_digest(leaf) for path, leaf in leaves(value)}


def fingerprint(value: Any) -> str:
    """Return the SHA-256 over every leaf of ``value``: what a dataset's card pins."""
    return hashlib.sha256(repr(sorted(fingerprints(value).items())).encode()).hexdigest()


def check_unchanged(before: dict[str, str], value: Any, what: str) -> None:
    """Raise InvalidRun if ``value`` no longer has the fingerprints ``before``."""
    after = fingerprints(value)
    changed = sorted(
        path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
    )
    if changed:
        raise InvalidRun(
            f"the method changed its input {what}.{changed[0]}; work on a copy (.clone())."
        )


@contextlib.contextmanager
def code_unchanged(*owners: type) -> Iterator[None]:
    """Raise InvalidRun if, meanwhile, a function or class of the harness, the task, torch or NumPy
    was replaced; put it back in any case.
    """
    spaces = _spaces(owners)
    before = {label: dict(vars(space)) for label, space in spaces.items()}
    before["torch"].pop("Storage", None)  # torch itself replaces it when the default type changes
    inherited = {
        label: set(dir(space)) - set(vars(space)) if isinstance(space, type) else set()
        for label, space in spaces.items()
    }
    replaced: list[str] = []
    try:
        yield
    finally:
        for label, space in spaces.items():
            now, then = vars(space), before[label]
            # thousands of names in every run: what is as it was is passed over without a loop
            if not all(map(operator.is_, map(now.get, then), then.values())):
                for name, value in then.items():
                    if now.get(name) is not value and callable(value):
                        replaced.append(f"{label}.{name}")
                        setattr(space, name, value)
            for name in inherited[label] & set(vars(space)):
                replaced.append(f"{label}.{name}")
                delattr(space, name)
    if replaced:
        raise InvalidRun(
            f"{replaced[0]} was replaced during the run; a method may not change the code that "
            "scores it."
        )


def _spaces(owners: tuple[type, ...]) -> dict[str, ModuleType | type]:
    homes = {"bench", *(owner.__module__.partition(".")[0] for owner in owners)}
    names = below(homes)
    names += [
        name
        for name in ("torch", "torch.nn.functional", "torch.random", "numpy", "sklearn.metrics")
        if name in sys.modules
    ]
    spaces: dict[str, ModuleType | type] = {
        name: sys.modules[name]
        for name in names
        if name != "bench" and sys.modules.get(name) is not None
    }
    spaces["torch.Tensor"] = sys.modules["torch"].Tensor
    for owner in owners:
        spaces |= {base.__qualname__: base for base in owner.__mro__ if base is not object}
    return spaces
