"""Whether a plain value is what its field declares: its type, that it is finite, its bounds."""

from __future__ import annotations

import math
import numbers
import operator
import typing
from typing import Any

import numpy as np

from bench.checks.arrays import Wrong
from bench.checks.fields import Field

_BOUNDS = {
    "ge": ("at least", operator.ge),
    "gt": ("above", operator.gt),
    "le": ("at most", operator.le),
    "lt": ("below", operator.lt),
}


def check_plain(value: Any, field: Field) -> Any:
    """Check a plain value: its type, that it is finite, its bounds."""
    if typing.get_origin(field.kind) is typing.Literal:
        if value not in typing.get_args(field.kind):
            raise Wrong(
                f"{field.name} is {value!r:.80}, and must be one of "
                f"{', '.join(map(repr, typing.get_args(field.kind)))}"
            )
        return value
    kinds = {
        int: (numbers.Integral, "a whole number"),
        float: (numbers.Real, "a number"),
        str: (str, "a text"),
        bool: (bool | np.bool_, "true or false"),
    }
    wanted_kind, word = kinds.get(field.kind, (object, "a value"))
    bounds = {
        name: end
        for name in _BOUNDS
        if field.meta is not None and (end := getattr(field.meta, name)) is not None
    }
    right = " and ".join([word, *(f"{_BOUNDS[name][0]} {end:g}" for name, end in bounds.items())])
    good = isinstance(value, wanted_kind) and (field.kind is bool or not isinstance(value, bool))
    good = good and (field.kind is not float or math.isfinite(value))
    if not good or not all(_BOUNDS[name][1](value, end) for name, end in bounds.items()):
        raise Wrong(f"{field.name} is {value!r:.80}, and must be {right}")
    # a number of NumPy's is no plain one
    return (
        field.kind(value)
        if field.kind in (int, float, bool) and type(value) is not field.kind
        else value
    )
