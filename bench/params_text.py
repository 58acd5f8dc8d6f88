"""Values of parameters, and calls of methods and tasks with some, as text."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Mapping
from typing import Any

from bench.errors import ParameterError

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def readings(raw: str) -> list[Any]:
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
