"""Whether what a task hands out and what a method returns are what their track declares
(:mod:`bench.declared`).

Whoever is to blame is named: every check raises :class:`~bench.errors.InvalidRun` with one sentence
that says whose record it is, which field, what came and what is right. What differs in the width of
its numbers alone is converted, so checks return what they were given or a copy. A record of a type
that declares nothing, or anything else, is there, is no generator and holds finite tensors.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import numbers
import operator
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import torch
from torch import nn

from bench.checks.arrays import Wrong, check_finite, checked, described, wanted
from bench.checks.fields import Field, declares, fields_of, is_record
from bench.checks.models import Checked, check_parameters
from bench.checks.scope import Scope
from bench.declared import Array, Outputs, Parameters, Size
from bench.errors import InvalidRun, blaming
from bench.runs.guard import leaves, valueless

__all__ = ["Checked", "Scope", "check_hidden", "check_problem", "check_report", "check_solution"]


def check_problem(
    problem: Any,
    kinds: Sequence[Any] = (),
    which: str = "",
    finite: dict[int, torch.Tensor] | None = None,
) -> tuple[Any, Scope]:
    """Return a problem as methods may rely on it, and the sizes that it binds.

    Args:
        problem: what the task hands out.
        kinds: the track's types of a problem; none: not known.
        which: tells it from the others, like `` 2 of 8``.
        finite: tensors that were found finite in other problems.
    """
    whose = f"the task's problem{which} is not valid, which is no fault of the method"
    if isinstance(problem, type) or inspect.isgenerator(problem):
        raise InvalidRun(
            f"{whose}: it is "
            f"{f'the class {problem.__name__}' if isinstance(problem, type) else 'a generator'}; "
            "the track's problem is wanted."
        )
    if kinds and not isinstance(problem, tuple(kinds)):
        missing = [name for name in kinds[0].__struct_fields__ if not hasattr(problem, name)]
        if missing:
            raise InvalidRun(
                f"{whose}: it is {described(problem)} without {missing[0]!r}; the track's problem "
                f"is {_names(kinds)}."
            )
    scope = Scope(problem, finite=finite)
    return _record(problem, scope, whose), scope


def check_hidden(hidden: Any, problem: Any, scope: Scope) -> Any:
    """Return the hidden part of a task, whose declared fields are right;
    of one that declares nothing nothing is asked.
    """
    if not is_record(hidden) or not declares(_kind(hidden)):
        return hidden
    return _record(
        hidden,
        Scope(hidden, problem, parent=scope),
        "the task's hidden part is not valid, which is no fault of the method",
    )


def check_solution(
    solution: Any,
    problem: Any,
    scope: Scope,
    kinds: Sequence[Any] = (),
    which: str = "",
    device: torch.device | None = None,
) -> Any:
    """Return a solution as the task may rely on it: its models are :class:`Checked` in whatever the
    task shows them, its tensors on ``device``.

    Args:
        solution: what ``solve`` returned.
        problem: the problem that it solves, which is checked.
        scope: the sizes of that problem.
        kinds: the track's types of a solution; none: not known.
        which: tells it from the others, like `` of problem 2 of 8``.
        device: where the problem's tensors are; None: tensors stay where they are.
    """
    whose = f"the method's solution{which} is not valid"
    right = f"; return {_names(kinds)}" if kinds else "; return the track's solution"
    if solution is None:
        raise InvalidRun(f"{whose}: solve returned nothing (None){right}.")
    if inspect.isgenerator(solution) or inspect.iscoroutine(solution) or isinstance(solution, type):
        if inspect.iscoroutine(solution):
            solution.close()
        named = isinstance(solution, type)
        what = f"the class {solution.__name__}" if named else described(solution)
        raise InvalidRun(f"{whose}: solve returned {what}{right}.")
    if kinds and type(solution) not in kinds:
        kind = next((base for base in type(solution).__mro__ if base in kinds), None)
        if kind is None:
            raise InvalidRun(f"{whose}: solve returned {described(solution)}{right}.")
        # a derived type may compute its fields, or say of itself what it likes: what counts is read
        # once
        with blaming("the method's solution"):
            solution = kind(
                **{field.name: getattr(solution, field.name) for field in fields_of(kind)}
            )
    own = Scope(solution, problem, parent=scope)
    own.device = device
    return _record(solution, own, whose, problem)


def check_report(model: Any, problem: Any, scope: Scope, kinds: Sequence[Any], where: str) -> Any:
    """Return what a method reports, as the task may look at it.

    It is a record that declares its fields, or what the field ``model`` of the track's solution
    holds.

    Args:
        model: what is reported.
        problem: the problem.
        scope: its sizes.
        kinds: the track's types of a solution.
        where: says in which report, like ``at report 3``.
    """
    if (
        is_record(model)
        and declares(_kind(model))
        and not (isinstance(model, tuple(kinds)) and _puts_out(kinds))
    ):
        for field in fields_of(_kind(model)):
            if isinstance(field.mark, Outputs | Parameters):
                _model(getattr(model, field.name), field.mark, Scope(problem, parent=scope), where)
        return model
    mark = next(
        (field.mark for kind in kinds for field in fields_of(kind) if field.name == "model"), None
    )
    try:
        return (
            _model(model, mark, Scope(problem, parent=scope), where)
            if isinstance(mark, Outputs)
            else model
        )
    except Wrong as wrong:
        raise InvalidRun(f"the method's report is not valid: {wrong}.") from None


def _puts_out(kinds: Sequence[Any]) -> bool:
    return any(isinstance(field.mark, Outputs) for kind in kinds for field in fields_of(kind))


def _kind(value: Any) -> Any:
    return type(value)


def _names(kinds: Sequence[Any]) -> str:
    names = [
        f"{kind.__module__.removeprefix('bench.builtin.')}.{kind.__qualname__}" for kind in kinds
    ]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


# Records ------------------------------------------------------------------------------


def _record(value: Any, scope: Scope, whose: str, problem: Any = None) -> Any:
    """Return a record with its fields checked, and converted where that is
    due; of anything else look at the tensors.
    """
    if value is None or inspect.isgenerator(value):
        raise InvalidRun(f"{whose}: it is {described(value)}.")
    if not is_record(value) or not declares(_kind(value)):
        _finite_leaves(value, whose)
        return value
    try:
        found = _fields(value, scope)
        if (validate := getattr(found, "validate", None)) is not None:
            validate() if problem is None else validate(problem)
    except (Wrong, InvalidRun) as wrong:
        raise InvalidRun(f"{whose}: {str(wrong).rstrip('.')}.") from None
    return found


def _fields(value: Any, scope: Scope) -> Any:
    changed = {}
    declared = fields_of(_kind(value))
    # sizes first: arrays are measured by them
    for field in sorted(declared, key=lambda field: not isinstance(field.mark, Size)):
        before = getattr(value, field.name)
        after = _field(before, field, scope)
        if after is not before:
            changed[field.name] = after
    if not changed:
        return value
    return (
        msgspec.structs.replace(value, **changed)
        if isinstance(value, msgspec.Struct)
        else dataclasses.replace(value, **changed)
    )


def _field(value: Any, field: Field, scope: Scope) -> Any:
    if value is None:
        if not field.optional:
            raise Wrong(f"{field.name} is None")
        return value
    if field.arrays:
        return _arrays(value, field.name, field.arrays, scope)
    if isinstance(field.mark, Size):
        return _size(value, field.name, field.mark, scope)
    if field.mark is not None:
        return _model(value, field.mark, scope, "in the answer")
    if (
        field.meta is not None
        or field.kind in (int, float, bool, str)
        or typing.get_origin(field.kind) is typing.Literal
    ):
        return _plain(value, field)
    if (
        isinstance(field.kind, type)
        and issubclass(field.kind, msgspec.Struct)
        and not isinstance(value, field.kind)
    ):
        raise Wrong(f"{field.name} is {described(value)}, and must be a {field.kind.__name__}")
    if _declared_parts(value):
        return _nested(value, field.name, scope)
    _look(value, field.name)
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
    return any(is_record(part) and declares(_kind(part)) for part in parts)


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
    near = arrays
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


def _kin(value: torch.Tensor, array: Array) -> bool:
    return value.dtype.is_floating_point == array.dtype.startswith("float") and (
        ... in array.shape or value.dim() == len(array.shape)
    )


def _size(value: Any, name: str, mark: Size, scope: Scope) -> Any:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < mark.least:
        raise Wrong(f"{name} is {value!r:.80}, and must be a whole number of at least {mark.least}")
    scope.bind(mark.name, int(value))
    return value if isinstance(value, int) else int(value)


def _model(model: Any, mark: Outputs | Parameters | Size | None, scope: Scope, where: str) -> Any:
    if isinstance(mark, Parameters):
        check_parameters(model, mark.does, where)
        return model
    assert isinstance(mark, Outputs)
    columns = scope.size(mark.columns) if isinstance(mark.columns, str) else mark.columns
    if not callable(model) or isinstance(model, type):
        raise Wrong(
            f"the model is {described(model)} {where}, and must be a function from n inputs to "
            f"logits (n, {'C' if columns is None else columns})"
        )
    return model if isinstance(model, Checked) else Checked(model, columns, mark.part, where)


_BOUNDS = {
    "ge": ("at least", operator.ge),
    "gt": ("above", operator.gt),
    "le": ("at most", operator.le),
    "lt": ("below", operator.lt),
}


def _plain(value: Any, field: Field) -> Any:
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


def _finite_leaves(value: Any, whose: str) -> None:
    try:
        _look(value, "")
    except Wrong as wrong:
        raise InvalidRun(
            f"{whose}: {wrong}, and must be finite; a track in which that is a value declares the "
            "field with Array(nan=True)."
        ) from None


def _look(value: Any, path: str) -> None:
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
        ):
            try:
                check_finite(array.detach())
            except Wrong as wrong:
                raise Wrong(f"{name or 'it'} {wrong}") from None
