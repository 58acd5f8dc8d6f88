"""Calls of datasets as texts, as records, notes and the pins of cards write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from bench.params import Schema, check_value, parse_value, render_value, resolve, split_outside


def call_text(name: str, params: Mapping[str, Any]) -> str:
    """Write a call: ``digits``, or ``cifar10(split=test)`` with the
    parameters that differ from the defaults, by name.
    """
    inside = params_text(params)
    return f"{name}({inside})" if inside else name


def params_text(params: Mapping[str, Any]) -> str:
    """Write the parameters of a call, as the pins of cards have them."""
    return ",".join(f"{key}={render_value(params[key])}" for key in sorted(params))


def differing(schema: Schema, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are not the defaults."""
    found = {}
    for name, value in values.items():
        param = schema[name]
        default = (
            msgspec.UNSET
            if param.default is msgspec.UNSET
            else check_value("", name, param, param.default)
        )
        if type(value) is not type(default) or value != default:
            found[name] = value
    return found


def parse_call(text: str) -> tuple[str, dict[str, str]]:
    """Split the text of a call into its name and the texts of its parameters."""
    name, _, inside = text.partition("(")
    pairs = [pair.partition("=") for pair in split_outside(inside[:-1], ",")] if inside else []
    return name, {key: value for key, _, value in pairs}


def params_of(name: str, schema: Schema, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters that a call's texts stand for, those that differ from the defaults.

    Raises:
        ParameterError: the dataset has no such parameter, or it takes no such value.
    """
    resolve(name, schema, {key: None for key in texts if key not in schema})
    return differing(
        schema,
        resolve(
            name,
            schema,
            {key: parse_value(name, key, schema[key], value) for key, value in texts.items()},
        ),
    )


FILE = "file:"
"""Begins what a record calls a file that a task or method opened itself;
no dataset is called so.
"""


def pinned(pins: str | Mapping[str, str], params: Mapping[str, Any]) -> str:
    """Return the fingerprint that a card pins for parameters (see
    :func:`params_text`); empty where it pins none.
    """
    if isinstance(pins, str):
        return "" if params else pins
    return pins.get(params_text(params), "")
