"""Answers to maths questions: where a text gives one, and when two are the same."""

from __future__ import annotations

import re
from fractions import Fraction

import msgspec

_NUMBER = re.compile(r"[-+]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:/\d+)?")
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]+)\}\s*\{([^{}]+)\}")
_NOTHING = re.compile(
    r"\\(?:left|right|!|,|;|:|quad|displaystyle|\$|%)|[\s$%]|\\(?:text|mathrm|mbox)\{[^{}]*\}|\^\{?\\circ\}?"
)


class Questions(msgspec.Struct, frozen=True):
    """Questions with the answer of each."""

    questions: tuple[str, ...]
    answers: tuple[str, ...]


def boxed(text: str) -> str | None:
    r"""Return what is in the last ``\boxed{}`` of a text, braces balanced; None: there is none."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth, first = 1, start + len("\\boxed{")
    for place in range(first, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[first:place]
    return None


def given(text: str) -> str | None:
    """Return the answer that a text gives: after its last ``####``, else
    in its last box, else its last number; None: it gives none.
    """
    if "####" in text:
        return text.rpartition("####")[2].strip() or None
    if (found := boxed(text)) is not None:
        return found
    numbers = _NUMBER.findall(text)
    return numbers[-1] if numbers else None


def number(text: str) -> Fraction | None:
    """Return a text as a number: digits with thousands' commas, decimals,
    a fraction; None: it is none.
    """
    text = _FRACTION.sub(r"\1/\2", text).replace(",", "").rstrip(".")
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None


def same(left: str, right: str) -> bool:
    """Return whether two answers are equal: as numbers where both are, else letter by letter but
    for spaces, units, signs of money and how fractions are set.
    """
    left, right = (_NOTHING.sub("", side) for side in (left, right))
    values = number(left), number(right)
    if None not in values:
        return values[0] == values[1]
    return bool(left) and _FRACTION.sub(r"\\frac{\1}{\2}", left).rstrip(".") == _FRACTION.sub(
        r"\\frac{\1}{\2}", right
    ).rstrip(".")


def check(text: str, answer: str) -> float:
    """Return 1.0 where the answer that a text gives is the right one, else 0.0."""
    found = given(text)
    return float(found is not None and same(found, answer))
