"""Figures of runs: finite, and within the bounds that the task's card declares."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from bench.cards import Metric, TaskCard
from bench.errors import InvalidRun
from bench.runs.record import Failure, Record
from bench.runs.reported_values import as_float

_Record = TypeVar("_Record", bound=Record)

SLACK = 1e-6
"""Share of a bound by which rounding may carry a figure beyond it."""
LARGEST = 1e100
"""What a figure without a bound may reach: means and squares of larger ones overflow."""


def figure(name: str, value: Any) -> float | None:
    """Return a figure as a float; None stays None.

    Raises:
        InvalidRun: it is no number, or not finite.
    """
    if value is None:
        return None
    is_answer = (
        isinstance(value, bool) or str(getattr(value, "dtype", "")).removeprefix("torch.") == "bool"
    )
    number = None if is_answer else as_float(value)
    if number is None:
        raise InvalidRun(
            f"the task gives {repr(value)[:80]} for {name}, which is no number; a figure is a "
            "float, or None where there is none."
        )
    if not math.isfinite(number):
        raise InvalidRun(
            f"the task gives {name} = {number}, which is not finite: what the method returned is "
            "out of range for it, or it has no value here and is to be None."
        )
    return number


def figures(card: TaskCard, said: Mapping[str, Any], where: str = "") -> dict[str, float | None]:
    """Return what a task says as floats. Names that the card does not declare have no bounds.

    Raises:
        InvalidRun: one is no number, not finite, or outside its metric's bounds; ``where`` follows
            its name in the sentence.
    """
    found = {name: figure(name, value) for name, value in said.items()}
    for metric in card.metrics:
        value = found.get(metric.name)
        if value is not None and (wrong := outside(metric, value)):
            raise InvalidRun(
                f"the task gives {metric.name} = {value:g}{where}, {wrong}: what "
                "the method returned is out of range for it, or the task's formula or the bounds "
                "on its card are wrong."
            )
    if large := next(
        (name for name, value in found.items() if value is not None and abs(value) > LARGEST), None
    ):
        raise InvalidRun(
            f"the task gives {large} = {found[large]:g}{where}, beyond {LARGEST:g}, the largest "
            "figure that can be averaged."
        )
    return found


def outside(metric: Metric, value: float) -> str:
    """Return what is wrong with a figure outside its metric's bounds,
    beyond rounding; an empty string for one within them.
    """
    low, high = ends(metric)
    if low <= value <= high:
        return ""
    least, most = metric.bounds or (None, None)
    if least is None and most is None:
        return f"beyond {LARGEST:g}, the largest figure that can be averaged"
    said = (
        f"from {least:g} to {most:g}"
        if least is not None and most is not None
        else f"at least {least:g}"
        if least is not None
        else f"at most {most:g}"
    )
    return f"and the card bounds it to {said}"


@functools.lru_cache(4096)
def ends(metric: Metric) -> tuple[float, float]:
    """Return the least and the most that a metric may be, rounding included."""
    least, most = metric.bounds or (None, None)
    slack = SLACK * max((abs(end) for end in (least, most) if end), default=1.0)
    return (-LARGEST if least is None else least - slack), (
        LARGEST if most is None else most + slack
    )


def held(
    records: Sequence[Record], tasks: Mapping[str, TaskCard]
) -> tuple[list[Record], list[str]]:
    """Return the records, those of status ok with a figure outside its metric's bounds as invalid
    ones without figures, and what these say.

    Args:
        records: in any order, which is kept.
        tasks: ``track/name`` -> card. A record whose task is missing stays as it is.
    """
    limits = {
        identity: {metric.name: ends(metric) for metric in card.metrics}
        for identity, card in tasks.items()
    }
    found, beyond = [], []
    for record in records:
        known = limits.get(record.identity) if record.status == "ok" else None
        for name, value in record.metrics.items() if known else ():
            if (
                value is not None
                and name in known  # type: ignore[operator]
                and not known[name][0] <= value <= known[name][1]  # type: ignore[index]
            ):
                metric = next(
                    metric for metric in tasks[record.identity].metrics if metric.name == name
                )
                beyond.append(
                    f"{name} = {value:g} of {record.method} on {record.task}, seed {record.seed}"
                )
                failure = Failure(
                    type="InvalidRun",
                    message=f"the record says {name} = {value:g}, {outside(metric, value)}",
                )
                record = msgspec.structs.replace(
                    record, status="invalid", metrics={}, error=failure
                )
                break
        found.append(record)
    return found, beyond


def disagreements(
    records: Iterable[_Record], tasks: Mapping[str, TaskCard]
) -> Iterator[tuple[_Record, _Record, str]]:
    """Yield pairs of ``ok`` records of one key whose figures differ, with the first figure that
    does: same key should be same number.

    Of each key the first record by id is held against the others. Figures that are read off a
    clock, as the task's card says, are left out.
    """
    first: dict[str, _Record] = {}
    for record in sorted(
        (record for record in records if record.status == "ok"), key=lambda record: record.id
    ):
        known, card = first.setdefault(record.key, record), tasks.get(record.identity)
        for name in sorted(
            (known.metrics.keys() | record.metrics.keys()) - (card.clocks if card else set())
        ):
            if known.metrics.get(name) != record.metrics.get(name):
                yield known, record, name
                break
