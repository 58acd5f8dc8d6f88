"""Hyper-parameters: one schema, one check, one parser and one renderer for classes, cards and
command lines.

A parameter is an annotated field of a :class:`Params` record. Its type is one of ``bool``, ``int``,
``float``, ``str``, ``Literal[...]``, ``X | None``, ``tuple[X, ...]`` and ``Annotated[X,
Meta(ge=..., gt=..., le=..., lt=...)]``.
"""

from __future__ import annotations

import inspect
import json
import math
import re
import typing
from collections.abc import Mapping
from typing import Any

import msgspec

from bench.errors import ParameterError, near
from bench.texts import escaped

_NAME = re.compile(r"[a-z][a-z0-9_]*")


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
    for candidate in _readings(raw):
        try:
            msgspec.convert(candidate, param.type)
        except (msgspec.ValidationError, TypeError):
            continue
        return check_value(owner, name, param, candidate)
    return check_value(owner, name, param, next(iter(_readings(raw))))


def _readings(raw: str) -> list[Any]:
    """Return what ``raw`` may stand for, the most specific reading first and the bare text last."""
    readings: list[Any] = []
    text = re.sub(r"^([+-]?)\.(?=\d)", r"\g<1>0.", raw).removeprefix("+")
    text = re.sub(r"(?<=\d)\.(?=$|[eE])", ".0", text)
    text = {"true": "true", "false": "false", "none": "null", "null": "null"}.get(
        text.lower(), text
    )
    if raw[:1] == "(" and raw[-1:] == ")":
        text = "[" + raw[1:-1].rstrip().removesuffix(",") + "]"
    try:
        readings.append(json.loads(text))
    except ValueError:
        if raw.lower().lstrip("+-") in ("nan", "inf", "infinity"):
            readings.append(float(raw))
    readings.append(raw)
    return readings


def render_value(value: Any) -> str:
    """Write ``value`` as the command line takes it: the inverse of :func:`parse_value`."""
    if isinstance(value, str):
        plain = re.fullmatch(r"[A-Za-z_./][\w./-]*", value) and value.lower() not in (
            "true",
            "false",
            "none",
            "null",
            "nan",
            "inf",
            "infinity",
        )
        return value if plain else json.dumps(value)
    if isinstance(value, tuple | list):
        return (
            "("
            + ",".join(
                render_value(item) if not isinstance(item, str) else json.dumps(item)
                for item in value
            )
            + ")"
        )
    return (
        json.dumps(value) if value is None or isinstance(value, bool | int | float) else repr(value)
    )


def render_call(name: str, values: Mapping[str, Any]) -> str:
    """Write ``name[key=value,...]``, or ``name`` alone when there are no values."""
    return name + (
        f"[{','.join(f'{key}={render_value(value)}' for key, value in values.items())}]"
        if values
        else ""
    )


def split_call(text: str) -> tuple[str, dict[str, list[str]]]:
    """Split ``'elr[lam=1|3,beta=.7]'`` into its name and, for each key, the texts of its
    alternatives.

    Raises:
        ParameterError: the brackets or the pairs are malformed.
    """
    text = text.strip()
    if "[" not in text:
        return text, {}
    name, _, inner = text.partition("[")
    if not inner.endswith("]"):
        raise ParameterError(
            f"{text!r} has no closing bracket; write it as 'name[key=value,key=value]'."
        )
    values: dict[str, list[str]] = {}
    for pair in split_outside(inner[:-1], ","):
        key, equals, value = pair.partition("=")
        key = key.strip()
        if not equals or not _NAME.fullmatch(key) or not value.strip():
            raise ParameterError(
                f"{text!r} holds {pair.strip()!r}, which is no key=value pair; write it as "
                "'name[key=value,key=value]'."
            )
        if key in values:
            raise ParameterError(f"{text!r} gives {key!r} twice; give each parameter once.")
        values[key] = [alternative.strip() for alternative in split_outside(value, "|")]
    return name.strip(), values


def split_outside(text: str, separator: str) -> list[str]:
    """Split ``text`` at ``separator`` where it stands outside brackets and double quotes."""
    parts, depth, quoted, start, escaped = [], 0, False, 0, False
    for position, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif character in "[(":
            depth += 1
        elif character in "])":
            depth -= 1
        elif character == separator and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    parts.append(text[start:])
    return parts


def describe_type(kind: Any) -> str:
    """Say a parameter's type and range in words: ``number from 0 to 1``."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        bounds = {
            bound: getattr(meta, bound)
            for meta in arguments[1:]
            for bound in ("ge", "gt", "le", "lt")
            if getattr(meta, bound) is not None
        }
        words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
        return " ".join(
            [
                describe_type(arguments[0]),
                " and ".join(f"{words[bound]} {value:g}" for bound, value in bounds.items()),
            ]
        ).strip()
    if origin is typing.Literal:
        return "word out of " + ", ".join(map(str, arguments))
    if origin is tuple:
        return f"list of {describe_type(arguments[0])}s"
    if arguments:
        return " or ".join(describe_type(argument) for argument in arguments)
    return {
        float: "number",
        int: "whole number",
        str: "text",
        bool: "truth value (true or false)",
        type(None): "none",
    }.get(kind, str(kind))


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
