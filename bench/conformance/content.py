"""Whether what a dataset loads can be learned from: it has rows, finite
figures, and labels that differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

_LABELS = re.compile(r"y(_.*)?|labels?|targets?|classes")


def fault(value: Any) -> str:
    """Return what is wrong with the content of a dataset in a sentence; empty: nothing.

    Args:
        value: what ``load`` returned: a record of tensors, arrays or lists.
    """
    parts = list(_parts(value))
    known = [rows for _, part in parts if (rows := _rows(part)) is not None]
    if known and not any(known):
        return (
            "it holds no rows at all; look whether its file is empty, or whether load filters "
            "everything out"
        )
    missing = _missing(value)
    for name, part in parts:
        if _rows(part) == 0:
            return (
                f"{name} has 0 "
                f"rows{f' (shape {tuple(part.shape)})' if hasattr(part, 'shape') else ''}; look "
                "whether its file is empty, or whether load filters everything out"
            )
        for place, array in _arrays(name, part):
            if said := _not_finite(array, *missing.get(name, (False, False))):
                return (
                    f"{place} {said}; drop such rows, fill them in, or declare that {name} "
                    "has missing values (Array(..., nan=True)), and say so on the card"
                )
        if _LABELS.fullmatch(name) and (single := _single(part)) is not None:
            return (
                f"{name} is {single} in every row; with one class there is nothing to learn, "
                "so look whether load reads the right column"
            )
    return ""


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, msgspec.Struct):
        yield from ((name, getattr(value, name)) for name in value.__struct_fields__)
    elif isinstance(value, dict):
        yield from ((str(name), part) for name, part in value.items())
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        yield from zip(value._fields, value, strict=True)
    elif hasattr(value, "__dataclass_fields__"):
        yield from ((name, getattr(value, name)) for name in value.__dataclass_fields__)
    else:
        yield "it", value


def _rows(part: Any) -> int | None:
    """Return the number of rows of an array or list; None: it is another thing."""
    if getattr(part, "shape", None):
        return int(part.shape[0])
    return len(part) if isinstance(part, list | tuple | dict) else None


def _arrays(name: str, part: Any) -> Iterator[tuple[str, Any]]:
    if getattr(part, "shape", None):
        yield name, part
    elif isinstance(part, list | tuple):
        for number, item in enumerate(part):
            for inner, value in (
                _parts(item) if isinstance(item, msgspec.Struct | dict) else [("", item)]
            ):
                yield from _arrays(f"{name}[{number}]{'.' * bool(inner)}{inner}", value)
    elif isinstance(part, dict):
        for key, item in part.items():
            yield from _arrays(f"{name}[{key!r}]", item)


def _missing(value: Any) -> dict[str, tuple[bool, bool]]:
    """Return which fields of a record declare that NaN, and that infinities, are values."""
    from bench.checks.fields import fields_of, is_record

    if not is_record(value):
        return {}
    kind: Any = type(value)
    return {
        field.name: (
            any(one.nan for one in field.arrays),
            any(one.infinite for one in field.arrays),
        )
        for field in fields_of(kind)
    }


def _not_finite(array: Any, nan: bool, infinite: bool) -> str:
    """Say where an array is not finite, NaN or infinities left out where
    they are values; empty: nowhere.
    """
    import numpy as np
    import torch

    if not isinstance(array, torch.Tensor):
        array = np.asarray(array)
        if array.dtype.kind not in "fc":
            return ""
        array = torch.from_numpy(np.ascontiguousarray(array))
    if not (array.is_floating_point() or array.is_complex()):
        return ""
    bad = (
        ~torch.isfinite(array)
        & (~torch.isnan(array) | (not nan))
        & (~torch.isinf(array) | (not infinite))
    )
    if not bool(bad.any()):
        return ""
    first = tuple(bad.nonzero()[0].tolist())
    rows = int(bad.reshape(len(bad), -1).any(1).sum())
    return (
        f"is {array[first].item()} at row "
        f"{first[0]}{f', column {first[1]}' if len(first) == 2 else ''} and not finite in {rows} "
        f"of {len(bad)} rows"
    )


def _single(part: Any) -> Any:
    """Return the one value of labels that are all the same; None: they differ, or are no labels."""
    if not getattr(part, "shape", None) or len(part.shape) != 1 or len(part) < 2:
        return None
    values = part.tolist()
    return values[0] if all(value == values[0] for value in values) else None
