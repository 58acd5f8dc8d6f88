"""What a method says to its run: steps, counts, figures and recipes.

What is not what it should be is refused with a sentence.
"""

from __future__ import annotations

import operator
from typing import Any

from bench.digests import digest
from bench.errors import InvalidRun

MOST = 2**53
"""Largest whole number that every reader of a record holds exactly."""


def whole(value: Any, said: str, right: str) -> int:
    """Return a whole number from 0 to :data:`MOST`, a NumPy or torch one included.

    Args:
        value: what came.
        said: begins the sentence, like ``the method reported step``.
        right: ends it: what would be right.

    Raises:
        InvalidRun: it is none.
    """
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)
    except (TypeError, ValueError, RuntimeError):
        number = -1
    if not 0 <= number <= MOST:
        raise InvalidRun(f"{said} {value!r:.80}; {right}.")
    return number


def as_float(value: Any) -> float | None:
    """Return a number of any library as a float; None: it is no number, or none that fits."""
    try:
        return float(
            "text"
            if isinstance(value, str | bytes)
            else value.detach()
            if hasattr(value, "detach")
            else value
        )
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None


def scalar(value: Any, name: str) -> float:
    """Return a figure of a method's own as a float; NaN and infinities may be logged.

    Raises:
        InvalidRun: it is no number.
    """
    if (number := as_float(value)) is None:
        raise InvalidRun(
            f"the method logged {name} = {value!r:.80}; a number that fits into a float is wanted."
        )
    return number


def recipe_name(recipe: dict[str, Any]) -> str:
    """Return the name of the artifact of a recipe.

    Raises:
        InvalidRun: the recipe is no plain data.
    """
    try:
        return f"artifact {digest(recipe)}"
    except TypeError as error:
        raise InvalidRun(
            f"the recipe of run.cached is no plain data ({error}); numbers, texts, lists and "
            "dicts of these are wanted."
        ) from None
