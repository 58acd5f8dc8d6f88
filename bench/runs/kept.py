"""Copies of reported models that are kept as they are."""

from __future__ import annotations

import contextlib
import copy
from functools import partial
from types import CellType, FunctionType
from typing import Any

from bench.runs.context import Run


def copied(model: Any) -> Any:
    """Return a model that later training does not change.

    Python's own deep copy of a function is the function, which would be asked for the weights of
    the end: the nets and tensors that it holds are copied with it, and what holds such. What else
    it holds stays what it is.
    """
    return _held(model, {}) if isinstance(model, FunctionType | partial) else copy.deepcopy(model)


def _held(value: Any, known: dict[int, Any]) -> Any:
    """Return a copy of a net, a tensor, a function or what holds one of these; else the value."""
    import torch

    from bench.checks.models import nets_in

    if id(value) in known:
        return known[id(value)]
    found: Any = value
    if isinstance(value, torch.Tensor) and not isinstance(value, torch.nn.Parameter):
        found = value.detach().clone()
    elif isinstance(value, torch.nn.Module | torch.nn.Parameter):
        found = copy.deepcopy(value, known)
    elif isinstance(value, FunctionType):
        cells = tuple(CellType() for _ in value.__closure__ or ())
        found = FunctionType(
            value.__code__,
            value.__globals__,
            value.__name__,
            None if value.__defaults__ is None else _held(value.__defaults__, known),
            cells,
        )
        known[id(value)] = found  # it may hold itself
        found.__kwdefaults__ = _held(value.__kwdefaults__, known)
        for cell, before in zip(cells, value.__closure__ or (), strict=True):
            try:
                cell.cell_contents = _held(before.cell_contents, known)
            except ValueError:  # it is empty yet
                continue
    elif isinstance(value, partial):
        arguments = [_held(part, known) for part in value.args]
        found = partial(_held(value.func, known), *arguments, **_held(value.keywords, known))
    elif type(value) in (list, tuple, set):
        found = type(value)(_held(part, known) for part in value)
    elif type(value) is dict:
        found = {key: _held(part, known) for key, part in value.items()}
    elif not isinstance(value, Run) and nets_in(value):
        with contextlib.suppress(Exception):  # not everything can be copied
            found = copy.deepcopy(value, known)
    known[id(value)] = found
    return found
