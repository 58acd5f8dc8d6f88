"""What the mark of a figure asks for."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

INNER = ("mean", "sd", "min", "max", "sum")
OUTER = ("mean", "min", "max", "range", "list", "sum", "above")
FORMS = (*dict.fromkeys((*INNER, *OUTER)), "interval", "error", "known", "seeds")
OPTIONS = ("from", "limit", "preset", "seeds", "sign", "times", "to")


class FigureError(Exception):
    """A mark that cannot be computed: what is wrong, and what to do."""


class Query(NamedTuple):
    """What a mark asks for."""

    forms: list[str]
    metrics: list[str]
    """One metric, or a metric, ``-`` or ``/``, and another one."""
    methods: list[str]
    tasks: list[str]
    variants: list[str]
    options: dict[str, str]

    @property
    def operator(self) -> str:
        """``-`` for differences, ``/`` for ratios, else empty."""
        return next((words[1] for words in (self.methods, self.metrics) if len(words) == 3), "")


def parse(said: str) -> Query:
    """Return what the words of a mark ask for.

    Raises:
        FigureError: the words are not those of a mark.
    """
    words = said.split()
    # a metric may be called as a form is: of 'mean error of', the second word is the metric
    forms = [word for word in words[: 1 + ("of" not in words[2:3])] if word in FORMS]
    if not forms or words[0] not in FORMS:
        raise FigureError(f"it begins with {words[0]!r}; begin with one of {', '.join(FORMS)}.")
    if len(forms) == 2 and (forms[0] not in OUTER or forms[1] not in INNER):
        raise FigureError(
            f"'{' '.join(forms)}' is no pair of forms; the first is one of {', '.join(OUTER)}, the "
            f"second one of {', '.join(INNER)}."
        )
    rest = words[len(forms) :]
    if rest.count("of") != 1 or rest.count("on") != 1 or rest.index("of") > rest.index("on"):
        raise FigureError("write it as 'FORM METRIC of METHOD on TASK VARIANT'.")
    metrics, methods = rest[: rest.index("of")], rest[rest.index("of") + 1 : rest.index("on")]
    for words, what in ((metrics, "METRIC"), (methods, "METHOD")):
        if len(words) != 1 and (len(words) != 3 or words[1] not in ("-", "/")):
            raise FigureError(
                f"{' '.join(words)!r} is neither one {what} nor '{what} - {what}' nor '{what} / "
                f"{what}'; put blanks around the sign."
            )
    places = [word for word in rest[rest.index("on") + 1 :] if not _OPTION.match(word)]
    options = dict(
        word.split("=", 1) for word in rest[rest.index("on") + 1 :] if _OPTION.match(word)
    )
    if unknown := sorted(set(options) - set(OPTIONS)):
        raise FigureError(f"{unknown[0]!r} is no option; there are {', '.join(OPTIONS)}.")
    if not 1 <= len(places) <= 2:
        raise FigureError(
            f"'on' is followed by {len(places)} words; name a task, and a variant where there are "
            "several."
        )
    tasks, variants = [*(listed(word) for word in places), []][:2]
    return Query(forms, metrics, methods, tasks, variants, options)


_OPTION = re.compile(r"[a-z]+=")


def listed(text: str) -> list[str]:
    """Return the names of ``a,b[c=1,d=2]``."""
    from bench.params_text import split_outside

    return split_outside(text, ",")


def number(query: Query, name: str, default: float) -> float:
    """Return the number that an option gives, or what holds without it."""
    try:
        return float(query.options.get(name, default))
    except ValueError:
        raise FigureError(f"{name}={query.options[name]} is no number; give one.") from None


def seeds_of(text: str | None) -> list[int] | None:
    """Return the seeds of ``0-4,7``."""
    if text is None:
        return None
    try:
        ends = [[int(end) for end in part.split("-")] for part in text.split(",")]
    except ValueError:
        raise FigureError(f"seeds={text} names no seeds; write them like 0-4,7.") from None
    return sorted({seed for end in ends for seed in range(end[0], end[-1] + 1)})


def spelt(seeds: Mapping[int, Any] | Sequence[int]) -> str:
    """Write seeds as ``0-4,7``."""
    parts = []
    for _, run in itertools.groupby(enumerate(sorted(seeds)), lambda pair: pair[1] - pair[0]):
        found = [seed for _, seed in run]
        parts.append(str(found[0]) if len(found) == 1 else f"{found[0]}-{found[-1]}")
    return ",".join(parts) or "none"
