"""Whether the tensors in a value are finite."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from bench.checks.arrays import Wrong, check_finite
from bench.errors import InvalidRun
from bench.runs.guard import leaves, valueless


def check_leaves(value: Any, whose: str) -> None:
    """Refuse a value that declares nothing and holds a tensor that is not finite."""
    try:
        look(value, "")
    except Wrong as wrong:
        raise InvalidRun(
            f"{whose}: {wrong}, and must be finite; a track in which that is a value declares the "
            "field with Array(nan=True)."
        ) from None


def look(value: Any, path: str) -> None:
    """Raise Wrong if a tensor or array in a value, or a parameter of a
    net, is not finite, or a part of it is a generator.
    """
    # buffers may be masks of infinities
    parts = value.named_parameters(path) if isinstance(value, nn.Module) else leaves(value, path)
    for name, leaf in parts:
        if inspect.isgenerator(leaf):
            raise Wrong(f"{name or 'it'} is a generator")
        array = (
            torch.from_numpy(np.ascontiguousarray(leaf))
            if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f"
            else leaf
        )
        if (
            isinstance(array, torch.Tensor)
            and array.dtype.is_floating_point
            and array.layout == torch.strided
            and not valueless(array)
            and not is_lazy(array)
        ):
            try:
                check_finite(array.detach())
            except Wrong as wrong:
                raise Wrong(f"{name or 'it'} {wrong}") from None
