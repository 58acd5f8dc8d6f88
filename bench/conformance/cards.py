"""What can be said of a plugin without running it: its card and its parameters."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from bench.cards import MethodCard, TaskCard
from bench.conformance.hooks import spelling
from bench.conformance.report import Finding
from bench.errors import ParameterError
from bench.params import Param, check_value, render_value, resolve
from bench.plugins.entries import Entry
from bench.plugins.source import import_target
from bench.runs.loaded_job import no_solve


def static_findings(entry: Entry) -> list[Finding]:
    """Return what the card and the parameters of a plugin say."""
    missing = list(_missing(entry))
    card = Finding(
        rule="card",
        subject="",
        outcome="failed" if missing else "passed",
        said="; ".join(missing) or _worth_knowing(entry),
    )
    wrong = list(_wrong_parameters(entry))
    return [
        card,
        Finding(
            rule="parameters",
            subject="",
            outcome="failed" if wrong else "passed",
            said="; ".join(wrong),
        ),
        spelling(import_target(entry.target)),
    ]


def _missing(entry: Entry) -> Iterator[str]:
    card, found = entry.card, import_target(entry.target)
    if not (inspect.getdoc(found) and found.__doc__):
        yield "the class has no docstring; say in a sentence what it does"
    if not card.title.strip():
        yield "the title is empty; make it a line that says what it is"
    if not card.licence:
        yield "no licence is named; give licence='MIT' or what it is"
    if isinstance(card, MethodCard) and card.official_code == "flawed" and not card.deviates:
        yield (
            "it says that the official code is flawed, and not in what it differs; write "
            "deviates='...'"
        )
    if isinstance(card, TaskCard) and "smoke" not in card.presets:
        yield (
            "it has no preset 'smoke', which checks and nightly runs use; add one that takes "
            "a second"
        )
    if isinstance(card, TaskCard) and not any(
        reference.kind == "low" for reference in card.references
    ):
        yield (
            "it names no low reference, so that no board can say what doing nothing gives; "
            "add Reference(name=..., kind='low')"
        )
    for reference in card.references if isinstance(card, TaskCard) else ():
        if reference.solve and (said := no_solve(found, reference.solve)):
            yield said


def _worth_knowing(entry: Entry) -> str:
    """Return what a complete card had better say too."""
    card = entry.card
    if isinstance(card, TaskCard) and card.primary.bounds in (None, (None, None)):
        return (
            f"the primary metric {card.primary.name!r} declares no bounds, so no board can say "
            "when its anchors are too close; give bounds=(least, most), with None for an end that "
            "is open"
        )
    if isinstance(card, MethodCard) and not card.defaults_from:
        return (
            "it does not say where its defaults come from; give defaults_from='paper', or "
            "'here' with the number of settings tried as trials"
        )
    return ""


def _wrong_parameters(entry: Entry) -> Iterator[str]:
    """Try each parameter with its default, with values just outside its
    bounds and with a value of another type.
    """
    found = import_target(entry.target)
    try:
        found.make(resolve(entry.name, entry.params, {}))  # type: ignore[attr-defined]
    except (ParameterError, TypeError, ValueError) as error:
        yield f"its defaults are refused: {error}"
    for name, param in entry.params.items():
        for value in [*_outside(param), {"no": "value"}]:
            try:
                check_value(entry.name, name, param, value)
            except ParameterError:
                continue
            yield f"{name}={render_value(value)} is accepted"


def _outside(param: Param) -> Iterator[float]:
    for meta in _metas(param.type):
        for bound, step in ((meta.ge, -1), (meta.le, 1)):
            if bound is not None:
                yield bound + step
        for bound in (meta.gt, meta.lt):
            if bound is not None and math.isfinite(bound):
                yield bound


def _metas(kind: Any) -> Iterator[msgspec.Meta]:
    for part in get_args(kind):
        if isinstance(part, msgspec.Meta):
            yield part
        else:
            yield from _metas(part)
    for part in getattr(kind, "__metadata__", ()):
        if isinstance(part, msgspec.Meta):
            yield part
