"""Whether a record's fields are what its type declares; what differs in width is converted."""

from __future__ import annotations

import dataclasses
import inspect
import numbers
import typing
from collections.abc import Mapping
from typing import Any

import msgspec
import torch

from bench.checks.arrays import Wrong, checked, described, wanted
from bench.checks.fields import Field, declares, fields_of, is_record
from bench.checks.finite import check_leaves, look
from bench.checks.models import Checked
from bench.checks.plain import check_plain
from bench.checks.policies import check_policy
from bench.checks.scope import Scope
from bench.checks.streams import check_stream
from bench.declared import Array, Outputs, Parameters, Size
from bench.errors import InvalidRun
from bench.training.stream import Stream


def kind_of(value: Any) -> Any:
    """Return the type of a record, which says what is declared."""
    return type(value)


ANSWER = "in the answer"
"""Where the model of a solution is looked at."""


def check_record(
    value: Any, scope: Scope, whose: str, problem: Any = None, where: str = ANSWER
) -> Any:
    """Return a record with its fields checked, and converted where that is
    due; of anything else look at the tensors.

    Args:
        value: the record.
        scope: the sizes that are known.
        whose: begins the sentence about what is wrong.
        problem: of a solution the problem.
        where: its model is looked at.
    """
    if value is None or inspect.isgenerator(value):
        raise InvalidRun(f"{whose}: it is {described(value)}.")
    if not is_record(value) or not declares(kind_of(value)):
        check_leaves(value, whose)
        return value
    try:
        found = _fields(value, scope, where)
        if (validate := getattr(found, "validate", None)) is not None:
            validate() if problem is None else validate(problem)
    except (Wrong, InvalidRun) as wrong:
        raise InvalidRun(f"{whose}: {str(wrong).rstrip('.')}.") from None
    return found


def _fields(value: Any, scope: Scope, where: str = ANSWER) -> Any:
    changed = {}
    declared = fields_of(kind_of(value))
    # sizes first: arrays are measured by them
    for field in sorted(declared, key=lambda field: not isinstance(field.mark, Size)):
        before = getattr(value, field.name)
        after = _field(before, field, scope, where)
        if after is not before:
            changed[field.name] = after
    if not changed:
        return value
    return (
        msgspec.structs.replace(value, **changed)
        if isinstance(value, msgspec.Struct)
        else dataclasses.replace(value, **changed)
    )


def _field(value: Any, field: Field, scope: Scope, where: str) -> Any:
    if value is None:
        if not field.optional:
            raise Wrong(f"{field.name} is None")
        return value
    if field.arrays:
        # several where one is declared would be met by the task's own code only
        check = _array if field.kind is torch.Tensor else _arrays
        return check(value, field.name, field.arrays, scope)
    if isinstance(field.mark, Size):
        return _size(value, field.name, field.mark, scope)
    if field.mark is not None:
        return check_model(value, field.mark, scope, where, twice=where == ANSWER)
    if (
        field.meta is not None
        or field.kind in (int, float, bool, str)
        or typing.get_origin(field.kind) is typing.Literal
    ):
        return check_plain(value, field)
    is_part = isinstance(field.kind, type) and issubclass(field.kind, msgspec.Struct)
    if is_part and not isinstance(value, field.kind):
        raise Wrong(f"{field.name} is {described(value)}, and must be a {field.kind.__name__}")
    if is_part or _declared_parts(value):
        return _nested(value, field.name, scope)
    if field.kind is Stream and isinstance(value, Stream):
        check_stream(value, field.name, scope)
    look(value, field.name)
    return value


def _declared_parts(value: Any) -> bool:
    """Say whether a value is a record that declares its fields, or holds
    such records by name or place.
    """
    parts = (
        value.values()
        if isinstance(value, Mapping)
        else value
        if isinstance(value, list | tuple)
        else (value,)
    )
    return any(is_record(part) and declares(kind_of(part)) for part in parts)


def _nested(value: Any, name: str, scope: Scope) -> Any:
    """Check records within a record; each has sizes of its own besides."""
    if isinstance(value, Mapping):
        found = {key: _nested(part, f"{name}[{key!r}]", scope) for key, part in value.items()}
        return value if all(found[key] is value[key] for key in found) else found
    if isinstance(value, list | tuple):
        parts = [_nested(part, f"{name}[{place}]", scope) for place, part in enumerate(value)]
        return (
            value
            if all(new is old for new, old in zip(parts, value, strict=True))
            else type(value)(parts)
        )
    try:
        own = _fields(value, Scope(value, parent=scope))
        if (validate := getattr(own, "validate", None)) is not None:
            validate()
    except (Wrong, InvalidRun) as wrong:
        raise Wrong(f"{name}.{wrong}") from None
    return own


def _arrays(value: Any, name: str, arrays: tuple[Array, ...], scope: Scope) -> Any:
    """Check a tensor, or each of a list, a tuple or a table of them."""
    if isinstance(value, Mapping):
        found = {
            key: _array(item, f"{name}[{key!r}]", arrays, Scope(parent=scope))
            for key, item in value.items()
        }
        return value if all(found[key] is value[key] for key in found) else found
    if isinstance(value, list | tuple) and not (value and isinstance(value[0], numbers.Number)):
        items = [
            _array(item, f"{name}[{place}]", arrays, Scope(parent=scope))
            for place, item in enumerate(value)
        ]
        return (
            value
            if all(new is old for new, old in zip(items, value, strict=True))
            else type(value)(items)
        )
    return _array(value, name, arrays, scope)


def _array(value: Any, name: str, arrays: tuple[Array, ...], scope: Scope) -> Any:
    """Check a tensor against the declaration that it comes nearest to."""
    near = arrays = _open(arrays, scope)
    if len(arrays) > 1 and isinstance(value, torch.Tensor):
        near = tuple(array for array in arrays if _kin(value, array)) or arrays
    try:
        found = checked(value, near[0], scope.size, scope.bind, scope.finite)
    except Wrong as wrong:
        raise Wrong(
            f"{name} {wrong}, and must be "
            f"{', or '.join(wanted(array, scope.size) for array in arrays)}"
        ) from None
    return (
        found.to(scope.device)
        if scope.device is not None and found.device != scope.device
        else found
    )


def _open(arrays: tuple[Array, ...], scope: Scope) -> tuple[Array, ...]:
    """Return the declarations that are left: where there are two or more classes, labels that may
    be numbers of a class or targets of a regression are the former.
    """
    shapes = [
        array.shape
        for array in arrays
        if array.dtype.startswith("int")
        and isinstance(array.bounds["lt"], str)
        and (scope.size(array.bounds["lt"]) or 0) > 1
    ]
    return tuple(
        array for array in arrays if not (array.dtype.startswith("float") and array.shape in shapes)
    )


def _kin(value: torch.Tensor, array: Array) -> bool:
    return value.dtype.is_floating_point == array.dtype.startswith("float") and (
        ... in array.shape or value.dim() == len(array.shape)
    )


def _size(value: Any, name: str, mark: Size, scope: Scope) -> Any:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < mark.least:
        raise Wrong(f"{name} is {value!r:.80}, and must be a whole number of at least {mark.least}")
    scope.bind(mark.name, int(value))
    return value if isinstance(value, int) else int(value)


def check_model(
    model: Any,
    mark: Outputs | Parameters | Size | None,
    scope: Scope,
    where: str,
    twice: bool = False,
) -> Any:
    """Return a model as the task may rely on it: its outputs are checked, ``twice`` on the first
    rows that it is shown; of a policy the problem's own with its weights.
    """
    if isinstance(mark, Parameters):
        return check_policy(model, mark.does, scope.holder("policy"), where)
    assert isinstance(mark, Outputs)
    columns = scope.size(mark.columns) if isinstance(mark.columns, str) else mark.columns
    if not callable(model) or isinstance(model, type):
        raise Wrong(
            f"the model is {described(model)} {where}, and must be a function from n inputs to "
            f"logits (n, {'C' if columns is None else columns})"
        )
    return model if isinstance(model, Checked) else Checked(model, columns, mark.part, where, twice)
