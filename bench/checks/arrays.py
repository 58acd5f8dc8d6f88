"""Whether a tensor is what is declared, in the words of who has to mend it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from bench.declared import Array, Bound
from bench.runs.guard import no_plain

LARGEST = torch.finfo(torch.float32).max
"""Largest number of the 32 bits in which figures are made."""

Sizes = Callable[[str], int | None]
"""From the name of a size to the size; None: not known yet."""

_INTEGERS = (
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.uint8,
    torch.uint16,
    torch.uint32,
    torch.uint64,
)
_WORDS = {
    "bool": "bool",
    "int8": "whole numbers (int8)",
    "int64": "whole numbers (int64)",
    "float32": "float32",
    "float64": "float64",
    "float": "floating numbers",
    "number": "numbers",
}


class Wrong(Exception):
    """A value is not what is declared; the text says what it is."""


def name_of(dtype: torch.dtype) -> str:
    """Return the name of a type of numbers."""
    return str(dtype).removeprefix("torch.")


def wanted(array: Array, sizes: Sizes) -> str:
    """Say what a tensor must be, like ``whole numbers (int64) of shape
    (N=1000,), from 0 to below C=10``.
    """
    shape = [_size_text(size, sizes) for size in array.shape]
    text = f"{_WORDS[array.dtype]} of shape ({', '.join(shape)}{',' if len(shape) == 1 else ''})"
    low, high = (
        (("from", array.bounds["ge"]), ("above", array.bounds["gt"])),
        (("to", array.bounds["le"]), ("to below", array.bounds["lt"])),
    )
    ends = [
        f"{word} {_size_text(bound, sizes)}"
        for part in (low, high)
        for word, bound in part
        if bound is not None
    ]
    text += f", {' '.join(ends)}" if ends else ""
    if array.dtype.startswith(("float", "number")) and not (array.nan or array.infinite):
        text += ", finite"
    return text + (", each once" if array.distinct else "")


def _size_text(size: Any, sizes: Sizes) -> str:
    if isinstance(size, str):
        known = sizes(size)
        return f"{size}={known}" if known is not None else size
    return "..." if size is ... else f"{size:g}"


def checked(
    value: Any,
    array: Array,
    sizes: Sizes,
    bind: Callable[[str, int], None],
    finite: dict[int, torch.Tensor] | None = None,
) -> torch.Tensor:
    """Return a tensor, of the declared width and without gradient.

    Args:
        value: what came.
        array: what is declared.
        sizes: gives the sizes that are known.
        bind: notes a size that was not.
        finite: tensors that were found finite already, by their ids; this one is added.

    Raises:
        Wrong: it is not what is declared.
    """
    tensor = _tensor(value)
    if not tensor.numel() and not array.empty:  # first: no size is bound to it
        raise Wrong(f"has the shape {_shape(tensor)}: there is nothing in it")
    _check_shape(tensor, array, sizes, bind)
    converted = _converted(tensor, array)
    if tensor.numel():
        _check_values(converted, array, sizes, finite)
    return converted


def _tensor(value: Any) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        hint = "; torch.from_numpy makes a tensor of it" if isinstance(value, np.ndarray) else ""
        raise Wrong(f"is {described(value)}{hint}")
    if strange := no_plain(value):
        raise Wrong(f"is {strange}")
    plain = without_subclass(value)
    return plain.detach() if plain.requires_grad else plain


def without_subclass(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor without what a subclass makes of torch's functions: what it says of itself is
    no number. One whose values lie elsewhere stays what it is.
    """
    kind = type(tensor)
    if (
        kind in (torch.Tensor, torch.nn.Parameter)
        or kind.__torch_dispatch__ is not torch.Tensor.__torch_dispatch__
    ):
        return tensor
    with torch._C.DisableTorchFunctionSubclass():
        plain: torch.Tensor = tensor.as_subclass(torch.Tensor)
        return plain


def _check_shape(
    tensor: torch.Tensor, array: Array, sizes: Sizes, bind: Callable[[str, int], None]
) -> None:
    shape, declared = list(tensor.shape), list(array.shape)
    if ... in declared:
        place = declared.index(...)
        after = len(declared) - place - 1
        if len(shape) < place + after:
            raise Wrong(f"has the shape {_shape(tensor)}")
        shape, declared = (
            shape[:place] + shape[len(shape) - after :],
            declared[:place] + declared[place + 1 :],
        )
    if len(shape) != len(declared):
        raise Wrong(f"has the shape {_shape(tensor)}")
    for own, size in zip(shape, declared, strict=True):
        known = sizes(size) if isinstance(size, str) else size
        if known is None:
            bind(str(size), own)
        elif known != own:
            raise Wrong(f"has the shape {_shape(tensor)}")


def _converted(tensor: torch.Tensor, array: Array) -> torch.Tensor:
    kind, dtype = array.dtype, tensor.dtype
    is_whole = dtype in _INTEGERS
    # NumPy has no float of 16 bits with 8 of exponent, and none of 8
    if kind in ("float", "number") and dtype.is_floating_point:
        return tensor if dtype in (torch.float16, torch.float32, torch.float64) else tensor.float()
    if kind == "number" and is_whole:  # minus a number without sign would be another one
        return tensor.double() if dtype == torch.uint64 else tensor.long()
    if kind.startswith("int") and is_whole:
        _check_width(tensor, kind)
        return tensor.to(getattr(torch, kind))
    if kind in ("float32", "float64") and dtype.is_floating_point:
        return tensor.to(getattr(torch, kind))
    if kind == "bool" and dtype == torch.bool:
        return tensor
    hint = ""
    if kind == "bool":
        hint = "; a mask has the type bool"
    elif kind.startswith("int"):
        hint = (
            "; a yes or no is no number of a class or row"
            if dtype == torch.bool
            else "; a number of a class or row is no float"
            if dtype.is_floating_point
            else ""
        )
    raise Wrong(f"is {name_of(dtype)}{hint}")


def _check_width(tensor: torch.Tensor, kind: str) -> None:
    """Raise Wrong if a whole number does not fit: what wraps around would
    be another class or row.
    """
    limit = torch.iinfo(getattr(torch, kind))
    if tensor.numel() and torch.iinfo(tensor.dtype).max > limit.max:
        least, most = (
            (int(end) for end in tensor.double().aminmax())
            if tensor.dtype in (torch.uint16, torch.uint32, torch.uint64)
            else _ends(tensor)
        )
        if least < limit.min or most > limit.max:
            raise Wrong(
                f"holds {most if most > limit.max else least}, which does not fit into {kind}"
            )


def _ends(tensor: torch.Tensor) -> tuple[float, float]:
    least, most = torch.stack(list(tensor.aminmax())).tolist()
    return least, most


def _check_values(
    tensor: torch.Tensor, array: Array, sizes: Sizes, finite: dict[int, torch.Tensor] | None
) -> None:
    if tensor.dtype == torch.bool:
        return
    if tensor.dtype.is_floating_point and (finite is None or id(tensor) not in finite):
        check_finite(tensor, array.nan, array.infinite)
        if not array.infinite:
            _check_size(tensor)
        if finite is not None and not (array.nan or array.infinite):
            finite[id(tensor)] = tensor
    bounds = {name: _value(bound, sizes) for name, bound in array.bounds.items()}
    if any(bound is not None for bound in bounds.values()):
        _check_bounds(tensor, bounds)
    if array.distinct and len(tensor.unique()) < tensor.numel():
        values, counts = tensor.unique(return_counts=True)
        raise Wrong(f"holds {values[counts > 1][0].item():g} {int(counts[counts > 1][0])} times")


def _check_size(tensor: torch.Tensor) -> None:
    """Raise Wrong if numbers of 64 bits are so large that their squares, or sums, are infinite."""
    if tensor.dtype == torch.float64 and (large := tensor.abs() > LARGEST).any():
        raise Wrong(
            f"holds {tensor[large][0].item():.3g} at {place_of(large)}, beyond {LARGEST:.3g}, the "
            "largest number of 32 bits"
        )


def _value(bound: Bound, sizes: Sizes) -> float | None:
    return sizes(bound) if isinstance(bound, str) else bound


def _check_bounds(tensor: torch.Tensor, bounds: dict[str, float | None]) -> None:
    known = tensor[~tensor.isnan()] if tensor.dtype.is_floating_point else tensor
    if not known.numel():
        return
    least, most = _ends(known)
    ge, gt, le, lt = (bounds[name] for name in ("ge", "gt", "le", "lt"))
    too_low = (ge is not None and least < ge) or (gt is not None and least <= gt)
    if too_low or (le is not None and most > le) or (lt is not None and most >= lt):
        found = least if too_low else most
        raise Wrong(f"holds {found:.8g} at {place_of(tensor == found)}")


def check_finite(tensor: torch.Tensor, nan: bool = False, infinite: bool = False) -> None:
    """Raise Wrong, with the place, if a tensor holds NaN or an infinity that it may not hold."""
    # of 8 bits, of which torch adds none up
    tensor = tensor.float() if tensor.element_size() == 1 else tensor
    if not (nan and infinite) and not math.isfinite(
        float(tensor.sum(dtype=torch.float32 if tensor.element_size() < 4 else None))
    ):
        # looked at only now: a sum is the quickest sign that all is well, and overflows at worst
        bad = ~tensor.isfinite()
        bad &= ~tensor.isnan() if nan else ~tensor.isinf() if infinite else True
        if bad.any():
            raise Wrong(f"holds {tensor[bad][0].item()} at {place_of(bad)}")


def place_of(mask: torch.Tensor) -> str:
    """Name the first True of a mask: its row, and its place where a row has several."""
    place = torch.nonzero(mask)[0].tolist() if mask.dim() else []
    return (
        "row " + str(place[0]) + (f" (place {place})" if len(place) > 1 else "")
        if place
        else "its only place"
    )


def _shape(tensor: torch.Tensor) -> str:
    return str(tuple(tensor.shape))


def described(value: Any) -> str:
    """Say what a value is that is no tensor: its type, and how long it is."""
    if value is None:
        return "None"
    size = f" of {len(value)}" if isinstance(value, Sequence) and not isinstance(value, str) else ""
    return with_article(type(value).__name__) + size


def with_article(kind: str) -> str:
    """Return the name of a type after ``a`` or ``an``."""
    return f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} {kind}"
