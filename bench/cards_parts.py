"""Parts of cards: names, metrics, presets, references."""

from __future__ import annotations

import math
import re
from typing import Any, Literal

import msgspec

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_FIGURE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def check_name(kind: str, name: str) -> None:
    """Raise ``ValueError`` unless ``name`` is kebab-case of at most 64
    characters, so that it is safe in paths and pages.
    """
    if len(name) > 64 or not _NAME.fullmatch(name):
        raise ValueError(
            f"{kind} name {name[:80]!r} is not kebab-case of at most 64 characters, like 'elr-plus'"
        )


def check_figure_name(name: str) -> None:
    """Raise ``ValueError`` unless ``name`` is one word that tables, pages and marks can hold."""
    if not _FIGURE.fullmatch(name):
        raise ValueError(
            f"name {name[:80]!r} is not one word of letters, digits, '_', '-' and '.' that begins "
            "with a letter or digit and has at most 64 characters, like 'acc_last'"
        )


class Metric(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One figure a task reports."""

    name: str
    """Its key in ``Score.metrics`` and in records."""
    direction: Literal["max", "min", "none"] = "max"
    """Which way is better; ``none``: a description, not a judgement."""
    primary: bool = False
    """The figure that sorts the board; one a task."""
    unit: str = ""
    """What it is counted in, e.g. ``%`` or ``s``; empty: a bare number."""
    validation: bool = False
    """True: computed on held-out training data, in runs with the card's ``tuning`` alone; what
    ``--tune`` chooses by, never on a board.
    """
    clock: bool = False
    """True: read off a clock, so that no two runs agree on it; left out
    where records are compared bit for bit.
    """
    bounds: tuple[float | None, float | None] | None = None
    """The least and the most it can be, ``None`` for an end that is open: ``(0, None)``.

    A run with a figure beyond them is invalid.
    """
    chance: float | None = None
    """What a trivial predictor reaches."""
    title: str = ""
    """What it measures, in a line; the board prints it."""
    column: bool = False
    """True: tables show it beside the primary metric. Where no metric of a task says so, they show
    the first few that judge.
    """
    limits: str = ""
    """Of several metrics that the primary one can't be better than: what the worst of them is
    called, e.g. ``strongest attack``. Tables show each of them, and name the worst of each row.
    """
    warns: str = ""
    """What is suspected of a run in which it is above 0, e.g. ``masked gradients suspected``.
    Tables show it, and boards say of how many seeds it is suspected.
    """

    @property
    def shown(self) -> bool:
        """Whether tables show it beside the primary metric, whatever else they show."""
        return self.column or bool(self.limits) or bool(self.warns)

    def __post_init__(self) -> None:
        try:
            check_figure_name(self.name)
        except ValueError as error:
            raise ValueError(f"a metric's {error}") from None
        for field in ("unit", "limits", "warns"):
            if not (text := getattr(self, field)).isprintable():
                raise ValueError(f"metric {self.name!r} has {field}={text[:80]!r}; give one line")
        if self.limits and self.direction == "none":
            raise ValueError(
                f"metric {self.name!r} has limits={self.limits!r} and no direction; say which way "
                "is better, so that the worst of several can be named"
            )
        low, high = self.bounds or (None, None)
        if any(end is not None and not math.isfinite(end) for end in (low, high)) or (
            low is not None and high is not None and not low < high
        ):
            raise ValueError(
                f"metric {self.name!r} has the bounds {self.bounds}; the first must be below the "
                "second, both finite, None for an open end"
            )
        if self.chance is not None and not (
            math.isfinite(self.chance)
            and (low is None or low <= self.chance)
            and (high is None or self.chance <= high)
        ):
            raise ValueError(
                f"metric {self.name!r} has chance={self.chance}"
                + (f" and the bounds {self.bounds}" if self.bounds else "")
                + "; give a finite number within the bounds, or None"
            )


class Preset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A size of a task: its variants, its seeds and the parameters they share."""

    variants: dict[str, dict[str, Any]]
    """Variant name -> the task's parameters in it."""
    params: dict[str, Any] = {}
    """Parameters of every variant of this preset."""
    seeds: int = 3
    """How many seeds run unless the command says otherwise: 0 to ``seeds - 1``."""
    timeout: float = 600.0
    """Wall-clock limit of one run, in seconds; a stack of seeds gets it once for each."""
    methods: tuple[str, ...] = ()
    """The methods that run where neither the command nor a suite names any; none: all that fit.

    Others still run by name. It is in no key.
    """

    def __post_init__(self) -> None:
        for name in self.methods:
            check_name("method", name)
        if not self.variants:
            raise ValueError("a preset has no variants; give at least one, like {'plain': {}}")
        for name in self.variants:
            check_name("variant", name)
        if not 0 < self.timeout < math.inf:
            raise ValueError(
                f"a preset has timeout={self.timeout}, which is no limit; give a finite number of "
                "seconds above 0"
            )
        if self.seeds < 1:
            raise ValueError(f"a preset has seeds={self.seeds}; give a number of at least 1")


class Reference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An anchor or control of the board: a method's name, or a way of the
    task's own that may see the hidden part.
    """

    name: str
    """A method's name, or with ``solve`` the row's."""
    kind: Literal["low", "high", "control"]
    """``low``: the null; ``high``: what an oracle reaches; ``control``: shown beside them."""
    title: str = ""
    """What it is, in a line."""
    solve: str = ""
    """Name of the task's method ``(problem, hidden, run) -> Solution``;
    empty: ``name`` is a method.
    """

    def __post_init__(self) -> None:
        check_name("reference", self.name)
