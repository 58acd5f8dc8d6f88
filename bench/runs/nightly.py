"""A night: which share of the cells a machine runs, which recorded ones it runs again as a check,
and what moved since the nights before.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Literal, NamedTuple

import msgspec

from bench.cards import TaskCard
from bench.runs.machine_classes import class_of
from bench.runs.plan import Cell, NotRun
from bench.runs.record import Record
from bench.runs.spec import RunSpec


class Tier(NamedTuple):
    """How much a night runs: the tasks' preset, and seeds."""

    preset: str
    seeds: int


TIERS = {
    "smoke": Tier("smoke", 1),
    "nightly": Tier("default", 3),
    "default": Tier("default", 5),
    "release": Tier("default", 10),
}

CHECKED = 7
"""One in so many reused cells is run again each night, other ones every
night: each is checked once a week.
"""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded cell that was run again with the same key."""

    record: str
    label: str
    same: bool
    differs: dict[str, tuple[float | None, float | None]] = {}
    """Metric -> what is recorded, what came out tonight."""
    other: list[str] = []
    """What else is not the same, of a renewed record."""
    renewal: list[str] = []
    """Proofs that a renewed record rests on."""


class Part(msgspec.Struct, kw_only=True):
    """What one machine of a night did; its records are in the store."""

    schema_version: Literal[1] = 1
    id: str = ""
    """Tells two machines apart that did the same share; made when it is first written."""
    ran: int = 0
    keys: list[str] = []
    """Keys of what it ran."""
    seconds: float = 0.0
    shard: str = ""
    """Its share, like ``3/8``."""
    machine: dict[str, Any] = {}
    """Its class: what a record's provenance says of instruction class, kernels and GPU."""
    checks: list[Check] = []
    not_run: list[NotRun] = []


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a board as it stood one night."""

    track: str
    task: str
    preset: str
    variant: str
    device: str
    method: str
    reference: str
    metric: str
    direction: str
    values: dict[str, float]
    """Seed -> primary figure; seeds whose run is not ``ok`` are missing."""
    classes: dict[str, str] = {}
    """Seed -> class of the machine; empty in nights that did not note it."""

    @property
    def table(self) -> tuple[str, ...]:
        """What its table is called."""
        return self.track, self.task, self.preset, self.variant, self.device

    @property
    def label(self) -> str:
        """The row in a line."""
        return f"{self.track}/{self.task} {self.variant} {self.method}"


class Night(msgspec.Struct, kw_only=True):
    """A night as a document: ``nights/<night>-<tier>.json`` in the results folder."""

    schema_version: Literal[1] = 1
    night: str
    tier: str
    planned: int
    recorded: int
    rows: dict[str, Row]
    """Digest of the cell without its seed -> row."""
    parts: list[Part]

    @property
    def checks(self) -> list[Check]:
        """Every check of the night."""
        return [check for part in self.parts for check in part.checks]


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """A row that moved, and stayed there the next night."""

    label: str
    metric: str
    reference: str
    before: float
    now: float
    limit: float


Unit = tuple[str, str, str, str, int]
"""Track, task, preset, variant and seed: what is compared within one class of machine."""


def unit_of(item: RunSpec | Record) -> Unit:
    """Return the unit of a run."""
    return item.track, item.task, item.preset, item.variant, item.seed


def shards(
    cells: Sequence[Cell], expected: Callable[[Cell], float], count: int
) -> list[list[Cell]]:
    """Split cells into ``count`` shares of about equal expected time.

    All methods on one task, variant and seed are in one share, and so on one machine: they are
    compared within its class. The seeds of a variant stay together too, since methods share
    artifacts and may run seeds as one stack, unless they are more than a share.
    """
    variants: dict[tuple[str, ...], list[Cell]] = defaultdict(list)
    for cell in cells:
        variants[cell.spec.track, cell.spec.task, cell.spec.variant].append(cell)
    share = sum(map(expected, cells)) / count
    units: list[list[Cell]] = []
    for members in variants.values():
        if sum(map(expected, members)) <= share:
            units.append(members)
            continue
        seeds: dict[Unit, list[Cell]] = defaultdict(list)
        for cell in members:
            seeds[unit_of(cell.spec)].append(cell)
        units += seeds.values()
    loads, found = [0.0] * count, [[] for _ in range(count)]  # type: list[float], list[list[Cell]]
    for unit in sorted(units, key=lambda unit: -sum(map(expected, unit))):
        least = loads.index(min(loads))
        loads[least] += sum(map(expected, unit))
        found[least] += unit
    return found


def due(records: Iterable[Record], night: date) -> list[Record]:
    """Return the records of earlier nights that ``night`` checks by
    running them again: another seventh every night.
    """
    return [
        record
        for record in records
        if int(record.cell[:8], 16) % CHECKED == night.toordinal() % CHECKED
        and record.started[:10] < night.isoformat()
    ]


def rows_of(records: Iterable[Record], cards: Mapping[str, TaskCard]) -> dict[str, Row]:
    """Return how every row of a board stands: group -> row.

    Tasks whose card is not here are left out.
    """
    found: dict[str, Row] = {}
    for record in records:
        if (card := cards.get(record.identity)) is None:
            continue
        row = found.get(record.group)
        if row is None:
            row = found[record.group] = Row(
                track=record.track,
                task=record.task,
                preset=record.preset,
                variant=record.variant,
                device=record.device,
                method=record.method,
                reference=record.reference,
                metric=card.primary.name,
                direction=card.primary.direction,
                values={},
                classes={},
            )
        value = record.metrics.get(row.metric)
        if record.status == "ok" and value is not None:
            row.values[str(record.seed)] = value
            row.classes[str(record.seed)] = class_of(record.provenance)
    return found


def alarms(nights: Sequence[Night], delta: float) -> list[Alarm]:
    """Return the rows that moved last night and stand there tonight.

    A row moved when the mean paired difference to the night before exceeds ``delta`` of the
    distance of the task's references and two standard errors. One night alone raises nothing: it
    may be a machine's bad day.

    Args:
        nights: of one tier, the oldest first; the last three count.
        delta: the smallest share of the distance between the low and the high reference worth an
            alarm.
    """
    if len(nights) < 3:
        return []
    before, last, tonight = nights[-3:]
    scales = _scales(before.rows.values())
    found = []
    for name, row in before.rows.items():
        moves = [_move(row, night.rows.get(name)) for night in (last, tonight)]
        limits = [max(delta * scales.get(row.table, 0.0), 2 * move.se) for move in moves if move]
        if (
            len(limits) == 2
            and all(
                abs(move.mean) > limit for move, limit in zip(moves, limits, strict=True) if move
            )
            and moves[0].mean * moves[1].mean > 0  # type: ignore[union-attr]
        ):
            start = sum(row.values.values()) / len(row.values)
            found.append(
                Alarm(
                    label=row.label,
                    metric=row.metric,
                    reference=row.reference,
                    before=start,
                    now=start + moves[1].mean,  # type: ignore[union-attr]
                    limit=max(limits),
                )
            )
    return found


class _Move(NamedTuple):
    mean: float
    se: float


def _move(before: Row, after: Row | None) -> _Move | None:
    """Return the mean paired difference of the seeds that both have on one
    class of machine, and its standard error.
    """
    if after is None:
        return None
    seeds = {
        seed
        for seed in before.values.keys() & after.values.keys()
        if len({*filter(None, (before.classes.get(seed), after.classes.get(seed)))}) < 2
    }
    if not seeds:
        return None
    differences = [after.values[seed] - before.values[seed] for seed in sorted(seeds)]
    mean, count = sum(differences) / len(differences), len(differences)
    variance = sum((value - mean) ** 2 for value in differences) / (count - 1) if count > 1 else 0.0
    return _Move(mean, math.sqrt(variance / count))


def _scales(rows: Iterable[Row]) -> dict[tuple[str, ...], float]:
    """Return the distance of the low and the high reference of every table that has both."""
    ends: dict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    for row in rows:
        if row.reference in ("low", "high") and row.values:
            ends[row.table].setdefault(row.reference, sum(row.values.values()) / len(row.values))
    return {table: abs(end["high"] - end["low"]) for table, end in ends.items() if len(end) == 2}


# Files ---------------------------------------------------------------------
