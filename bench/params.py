"""Hyper-parameters: one schema, one check, one parser and one renderer for classes, cards and
command lines.

A parameter is an annotated field of a :class:`Params` record. Its type is one of ``bool``, ``int``,
``float``, ``str``, ``Literal[...]``, ``X | None``, ``tuple[X, ...]`` and ``Annotated[X,
Meta(ge=..., gt=..., le=..., lt=...)]``.
"""

from __future__ import annotations

import inspect
import math
import typing
from collections.abc import Mapping
from typing import Any

import msgspec

from bench.errors import ParameterError, near
from bench.params_text import (
    describe_type,
    readings,
    render_call,
    render_value,
    split_call,
    split_outside,
)
from bench.texts import escaped

__all__ = [
    "Param",
    "Params",
    "Schema",
    "changed",
    "check_value",
    "describe_type",
    "parse_value",
    "render_call",
    "render_value",
    "resolve",
    "split_call",
    "split_outside",
]


class Param(msgspec.Struct, frozen=True):
    """One parameter of a schema."""

    type: Any
    default: Any = msgspec.UNSET
    doc: str = ""


Schema = Mapping[str, Param]


def check_value(owner: str, name: str, param: Param, value: Any) -> Any:
    """Return ``value`` in canonical form (an ``int`` for a ``float`` parameter becomes a
    ``float``).

    Raises:
        ParameterError: the value has the wrong type, is out of range or is not finite.
    """
    try:
        canonical = msgspec.convert(value, param.type)
    except (msgspec.ValidationError, TypeError):
        raise ParameterError(
            f"{owner} got {name}={render_value(value)}; {name} takes a {describe_type(param.type)}."
        ) from None
    if any(
        isinstance(text, str) and escaped(text) != text
        for text in (canonical if isinstance(canonical, tuple) else (canonical,))
    ):
        raise ParameterError(
            f"{owner} got {name}={render_value(value)}; {name} takes text in UTF-8."
        )
    if any(
        isinstance(number, float) and not math.isfinite(number)
        for number in (canonical if isinstance(canonical, tuple) else (canonical,))
    ):
        raise ParameterError(
            f"{owner} got {name}={render_value(value)}; {name} takes a finite "
            f"{describe_type(param.type)}."
        )
    return canonical


def resolve(owner: str, schema: Schema, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return every parameter of ``schema`` with its value: the given one, checked, or the default.

    Raises:
        ParameterError: an unknown name, a missing required parameter or a bad value.
    """
    for name in given:
        if name not in schema:
            known = f" Its parameters: {', '.join(schema)}." if schema else " It has no parameters."
            raise ParameterError(f"{owner} has no parameter {name!r}.{near(name, schema)}{known}")
    values = {}
    for name, param in schema.items():
        if name in given:
            values[name] = check_value(owner, name, param, given[name])
        elif param.default is msgspec.UNSET:
            raise ParameterError(
                f"{owner} needs a value for {name}; give it as {owner}[{name}=...]."
            )
        else:
            values[name] = check_value(owner, name, param, param.default)
    return values


def changed(owner: str, schema: Schema, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of ``values``, in canonical form, that are not their
    parameter's default; one without a default always is.
    """

    def default(name: str) -> Any:
        param = schema[name]
        return (
            ...
            if param.default is msgspec.UNSET
            else check_value(owner, name, param, param.default)
        )

    return {name: value for name, value in values.items() if value != default(name)}


def parse_value(owner: str, name: str, param: Param, text: str) -> Any:
    """Read ``text`` from a command line as a value of ``param``: the
    inverse of :func:`render_value`.
    """
    raw = text.strip()
    for candidate in readings(raw):
        try:
            msgspec.convert(candidate, param.type)
        except (msgspec.ValidationError, TypeError):
            continue
        return check_value(owner, name, param, candidate)
    return check_value(owner, name, param, next(iter(readings(raw))))


class _CheckedMeta(msgspec.StructMeta):
    """Checks defaults once msgspec has built the class: they are not
    readable in ``__init_subclass__``.
    """

    def __init__(cls, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments)
        for name, param in _fields(cls).items():
            if param.default is not msgspec.UNSET:
                try:
                    check_value(cls.__name__, name, param, param.default)
                except ParameterError as error:
                    raise TypeError(f"bad default: {error}") from None


def _fields(cls: Any) -> dict[str, Param]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return {
        field.name: Param(
            hints[field.name],
            msgspec.UNSET if field.default is msgspec.NODEFAULT else field.default,
        )
        for field in msgspec.structs.fields(cls)
    }


class Params(
    msgspec.Struct, metaclass=_CheckedMeta, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """A frozen record whose fields are hyper-parameters, checked and made canonical on
    construction.

    Raises:
        ParameterError: on construction, for an unknown name or a value that does not fit.
        TypeError: when a subclass is defined with a public attribute that has no annotation, or a
            bad default.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        annotations = inspect.get_annotations(cls)
        allowed = (classmethod, staticmethod, property)
        for name, value in vars(cls).items():
            if (
                name.startswith("_")
                or name in annotations
                or callable(value)
                or isinstance(value, allowed)
                or inspect.ismemberdescriptor(value)
            ):
                continue
            if name == "card":
                raise TypeError(
                    f"{cls.__name__}.card needs the annotation ClassVar; write 'card: ClassVar = "
                    "...'."
                )
            raise TypeError(
                f"{cls.__name__}.{name} has no annotation, so it would silently be no parameter; "
                f"write '{name}: {type(value).__name__} = {value!r}'."
            )
        if "card" in annotations and "ClassVar" not in str(annotations["card"]):
            raise TypeError(
                f"{cls.__name__}.card would become a parameter; write 'card: ClassVar = ...'."
            )

    def __post_init__(self) -> None:
        owner = self.name_of()
        for name, param in self.schema().items():
            msgspec.structs.force_setattr(
                self, name, check_value(owner, name, param, getattr(self, name))
            )

    @classmethod
    def name_of(cls) -> str:
        """Return the name a user knows this record by: its card's, else the class's."""
        return getattr(getattr(cls, "card", None), "name", cls.__name__)

    @classmethod
    def schema(cls) -> dict[str, Param]:
        """Return the parameters with their types and defaults, in the order of definition."""
        if "_schema_cache" not in vars(cls):
            type.__setattr__(cls, "_schema_cache", _fields(cls))
        cached: dict[str, Param] = vars(cls)["_schema_cache"]
        return cached

    @classmethod
    def make(cls, values: Mapping[str, Any]) -> typing.Self:
        """Build the record from ``values``; unknown names are errors with near matches."""
        return cls(**resolve(cls.name_of(), cls.schema(), values))

    def values(self) -> dict[str, Any]:
        """Return the parameters and their values as plain data."""
        return {name: getattr(self, name) for name in self.schema()}
