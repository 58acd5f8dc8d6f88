"""Reading what a record type declares of its fields."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from typing import Any

import msgspec

from bench.declared import Array, Outputs, Parameters, Size

MARKS = (Array, Size, Outputs, Parameters)


class Field(typing.NamedTuple):
    """What is declared of a field.

    Attributes:
        name: its name.
        optional: whether it may be None.
        kind: its type without what is declared of it; ``Any`` where it could not be read.
        arrays: what its tensors may be; several are alternatives.
        mark: a size, a model or a policy.
        meta: bounds of a plain number.
    """

    name: str
    optional: bool
    kind: Any
    arrays: tuple[Array, ...] = ()
    mark: Size | Outputs | Parameters | None = None
    meta: msgspec.Meta | None = None


def is_record(value: Any) -> bool:
    """Say whether a value is a record with fields: a msgspec struct or a dataclass."""
    return isinstance(value, msgspec.Struct) or (
        dataclasses.is_dataclass(value) and not isinstance(value, type)
    )


@functools.cache
def fields_of(kind: Any) -> tuple[Field, ...]:
    """Return what a record type declares of its fields, in their order."""
    names = (
        kind.__struct_fields__
        if issubclass(kind, msgspec.Struct)
        else tuple(field.name for field in dataclasses.fields(kind))
    )
    hints = _hints(kind)
    return tuple(_field(name, hints.get(name, Any)) for name in names)


def declares(kind: Any) -> bool:
    """Say whether a record type declares anything of its fields."""
    return any(field.arrays or field.mark or field.meta for field in fields_of(kind))


def _hints(kind: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except Exception:  # one annotation that names nothing must not hide the others
        return {
            name: hint
            for base in reversed(kind.__mro__)
            for name, text in vars(base).get("__annotations__", {}).items()
            if (hint := _hint(base, text))
        }


def _hint(base: type, text: Any) -> Any:
    alone = type(
        base.__name__, (), {"__annotations__": {"field": text}, "__module__": base.__module__}
    )
    try:
        return typing.get_type_hints(alone, include_extras=True)["field"]
    except Exception:
        return None


def _field(name: str, hint: Any) -> Field:
    found: list[Any] = []
    kinds: list[Any] = []
    _walk(hint, found, kinds)
    optional = types.NoneType in kinds or Any in kinds
    kinds = [kind for kind in kinds if kind is not types.NoneType]
    return Field(
        name,
        optional,
        kinds[0] if len(kinds) == 1 else Any,
        tuple(item for item in found if isinstance(item, Array)),
        next((item for item in found if isinstance(item, Size | Outputs | Parameters)), None),
        next((item for item in found if isinstance(item, msgspec.Meta)), None),
    )


def _walk(hint: Any, found: list[Any], kinds: list[Any]) -> None:
    """Collect what is declared anywhere in a type, and the members of its union."""
    if typing.get_origin(hint) is typing.Annotated:
        found += hint.__metadata__
        _walk(hint.__origin__, found, kinds)
    elif typing.get_origin(hint) in (typing.Union, types.UnionType):
        for member in typing.get_args(hint):
            _walk(member, found, kinds)
    else:
        kinds.append(hint)
