"""Storage of their own for problems: no tensor of theirs is a view of more
than it shows, or lies in memory of a hidden part.
"""

from __future__ import annotations

import bisect
import copy
import dataclasses
import math
from collections.abc import Iterable, Iterator, MutableMapping
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import msgspec
import numpy as np

_PLAIN = (str, bytes, int, float, complex, type, ModuleType, FunctionType, BuiltinFunctionType)

Span = tuple[int, int]
"""Addresses of some memory: the first byte, and the first one behind it."""


def isolate(problems: Iterable[Any], hidden: Iterable[Any]) -> list[Any]:
    """Return problems of which every tensor and array has memory of its own; what has is not
    copied, and what they share they go on sharing.

    A tensor is copied, bit for bit, where it is a view of something larger (the test rows may lie
    behind the training rows) or where a hidden part holds it too.
    """
    taken = Memory(span for part in hidden for leaf in _tensors(part) for span in spans(leaf))
    known: dict[int, tuple[Any, Any]] = {}
    return [_own(problem, taken, known) for problem in problems]


class Memory:
    """Spans of memory, to be asked whether others meet them."""

    def __init__(self, found: Iterable[Span]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(set(found)):
            if self._ends and start < self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(end)

    def meets(self, leaf: Any) -> bool:
        """Say whether a tensor or array lies in this memory, or is a view
        of something that does.
        """
        for start, end in spans(leaf):
            place = bisect.bisect_right(self._ends, start)
            if place < len(self._starts) and self._starts[place] < end:
                return True
        return False


def spans(leaf: Any) -> Iterator[Span]:
    """Yield the memory that can be reached through a tensor or array: its
    whole storage, however little of it is shown.
    """
    if isinstance(leaf, np.ndarray):
        while isinstance(leaf.base, np.ndarray):
            leaf = leaf.base
        low, high = np.lib.array_utils.byte_bounds(leaf)
        yield from [(low, high)] if leaf.size else []
        return
    for part in _parts(leaf):
        storage = part.untyped_storage()
        if (start := storage.data_ptr()) and storage.nbytes():
            yield start, start + storage.nbytes()


def _parts(tensor: Any) -> list[Any]:
    """Return the strided tensors that a tensor is made of."""
    match str(tensor.layout):
        case "torch.strided":
            return [tensor]
        case "torch.sparse_coo":
            return [tensor._indices(), tensor._values()]
        case "torch.sparse_csr" | "torch.sparse_bsr":
            return [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
        case "torch.sparse_csc" | "torch.sparse_bsc":
            return [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
    return []  # a layout that has no addresses


def is_tensor(value: Any) -> bool:
    """Say whether it is a tensor or an array, without importing torch."""
    return isinstance(value, np.ndarray) or (
        hasattr(type(value), "untyped_storage") and hasattr(type(value), "layout")
    )


def _tensors(value: Any) -> Iterator[Any]:
    """Walk all that data is made of, attributes of objects too, and yield tensors and arrays."""
    seen, waiting = {}, [value]
    while waiting:
        value = waiting.pop()
        if value is None or isinstance(value, _PLAIN) or id(value) in seen:
            continue
        seen[id(value)] = value
        if is_tensor(value):
            yield value
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple | set | frozenset):
            waiting += value
        else:
            waiting += attributes(value).values()


def attributes(value: Any) -> dict[str, Any]:
    """Return what an object itself holds, by name: no property is called
    for it, and nothing of its class is in it.
    """
    names = [name for kind in type(value).__mro__ for name in _slots(kind)] + list(
        getattr(type(value), "__struct_fields__", ())
    )
    return {
        **{name: getattr(value, name) for name in names if hasattr(value, name)},
        **getattr(value, "__dict__", {}),
    }


def _slots(kind: type) -> Iterator[str]:
    slots = vars(kind).get("__slots__", ())
    for name in (slots,) if isinstance(slots, str) else slots:
        if name not in ("__dict__", "__weakref__"):
            yield (
                f"_{kind.__name__.lstrip('_')}{name}"
                if name.startswith("__") and not name.endswith("__")
                else name
            )


def _own(value: Any, taken: Memory, known: dict[int, tuple[Any, Any]]) -> Any:
    """Return a record, mapping, sequence, tensor or array with memory of its own; the same object
    where it had that, and whatever else it is.
    """
    if value is None or isinstance(value, _PLAIN):
        return value
    if id(value) not in known:
        known[id(value)] = value, value  # of a ring
        known[id(value)] = value, _owned(value, taken, known)
    return known[id(value)][1]


def _owned(value: Any, taken: Memory, known: dict[int, tuple[Any, Any]]) -> Any:
    if isinstance(value, np.ndarray):
        return value.copy(order="K") if _shows_part(value) or taken.meets(value) else value
    if is_tensor(value):
        return (
            _copied(value)
            if any(_larger(part) for part in _parts(value)) or taken.meets(value)
            else value
        )
    if isinstance(value, msgspec.Struct):
        changed = _changes(
            {name: getattr(value, name) for name in value.__struct_fields__}, taken, known
        )
        return msgspec.structs.replace(value, **changed) if changed else value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = _changes(
            {field.name: getattr(value, field.name) for field in dataclasses.fields(value)},
            taken,
            known,
        )
        other = copy.copy(value) if changed else value
        for name, part in changed.items():
            object.__setattr__(other, name, part)  # it may be frozen
        return other
    if isinstance(value, MutableMapping):
        changed = _changes(dict(value), taken, known)
        mapping = copy.copy(value) if changed else value
        for name, part in changed.items():
            mapping[name] = part
        return mapping
    if isinstance(value, list | tuple):
        parts = [_own(part, taken, known) for part in value]
        if all(part is before for part, before in zip(parts, value, strict=True)):
            return value
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


def _changes(
    parts: dict[Any, Any], taken: Memory, known: dict[int, tuple[Any, Any]]
) -> dict[Any, Any]:
    own = {name: _own(part, taken, known) for name, part in parts.items()}
    return {name: part for name, part in own.items() if part is not parts[name]}


def _shows_part(array: np.ndarray) -> bool:
    """Say whether an array is a view of something larger, or of something that is no array."""
    root: Any = array
    while isinstance(root.base, np.ndarray):
        root = root.base
    return root.base is not None or (
        root is not array and root.nbytes > _shown(array.shape, array.strides, array.itemsize, 1)
    )


def _larger(tensor: Any) -> bool:
    """Say whether a tensor's storage holds more than the tensor shows."""
    size = tensor.element_size()
    most: int = tensor.untyped_storage().nbytes()
    return most > _shown(tuple(tensor.shape), tensor.stride(), size, size)


def _shown(shape: tuple[int, ...], strides: tuple[int, ...], size: int, unit: int) -> int:
    """Return the bytes that a view shows at most: its elements without the
    repeated ones, or the stretch that they lie in.
    """
    if 0 in shape:
        return 0
    elements = math.prod(length for length, stride in zip(shape, strides, strict=True) if stride)
    stretch = (
        sum((length - 1) * abs(stride) for length, stride in zip(shape, strides, strict=True))
        * unit
        + size
    )
    return min(elements * size, stretch)


def _copied(tensor: Any) -> Any:
    """Return a tensor with the same numbers, strides and kind, in memory
    that holds nothing else.
    """
    import torch

    source = tensor.detach()
    if str(source.layout) != "torch.strided":
        found = source.clone()
    else:
        repeated = [
            axis
            for axis, (length, stride) in enumerate(zip(source.shape, source.stride(), strict=True))
            if length > 1 and stride == 0
        ]
        small = source[
            tuple(slice(0, 1) if axis in repeated else slice(None) for axis in range(source.dim()))
        ]
        elements = small.numel()
        stretch = (
            sum(
                (length - 1) * stride
                for length, stride in zip(small.shape, small.stride(), strict=True)
            )
            + 1
            if elements
            else 0
        )
        if elements == stretch:
            found = small.clone()  # of the same strides
        elif elements > stretch:  # rows that overlap, as of unfold: all that lies between is shown
            found = (
                small.as_strided((stretch,), (1,))
                .clone()
                .as_strided(small.shape, small.stride(), 0)
            )
        else:  # the gaps hold zeros
            found = torch.zeros(stretch, dtype=source.dtype, device=source.device).as_strided(
                small.shape, small.stride(), 0
            )
            found.copy_(small)
        found = found.expand(source.shape) if repeated else found
    if type(tensor) is torch.nn.Parameter:
        return torch.nn.Parameter(found, requires_grad=tensor.requires_grad)
    return found.requires_grad_(tensor.requires_grad) if tensor.requires_grad else found
