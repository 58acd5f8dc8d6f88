"""A method as the command line names it, ``name`` or ``name[param=value]``, and its records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import ParameterError
from bench.params import Param, parse_value
from bench.runs.record import Record


@dataclass(frozen=True)
class MethodCall:
    """A method as the command line names it."""

    text: str
    name: str
    given: Mapping[str, list[str]]

    def fits(self, record: Record) -> bool:
        """Tell whether ``record`` is of this method: at its defaults, or
        at the parameters given.
        """
        if self.name not in record.method_names:
            return False
        if not self.given:
            return not record.custom
        return all(
            key in record.params and any(_means(key, text, record.params[key]) for text in texts)
            for key, texts in self.given.items()
        )


def _means(name: str, text: str, value: Any) -> bool:
    """Tell whether ``text`` of a command line means ``value``, whose type
    stands for the parameter's.
    """
    try:
        return bool(parse_value("", name, Param(type(value)), text) == value)
    except ParameterError:
        return False
