"""What leaderboard.json holds, as types: its JSON schema is generated from them, and the tests hold every board against it."""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec

Direction = Literal["max", "min", "none"]
Test = str


class _Part(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A part of the document: every field is there."""


class Metric(_Part):
    """A metric of a task."""

    name: str
    direction: Direction
    unit: str
    title: str


class Difference(_Part):
    """A paired difference in a metric's unit, positive where the row is better."""

    mean: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    n: int


class Verdict(_Part):
    """A paired difference of normalised scores over the tasks of a track."""

    mean: float
    low: float
    high: float
    p: float
    p_holm: float
    verdict: Literal["better", "worse", "same", "undecided"]
    seeds_needed: int | None


class Pair(Verdict):
    """A verdict on two methods: positive where ``a`` is better."""

    a: str
    b: str


class Cost(_Part):
    """Seconds, example visits and MB of a row of a table."""

    solve_s: float | None
    solve_cpu_s: float | None
    forward: float | None
    backward: float | None
    peak_rss_mb: float | None
    stack: float | None


class Row(_Part):
    """A method in one table, in the metric's unit."""

    rank: int | None
    method: str
    params: dict[str, Any]
    record_ids: list[str]
    n: int
    mean: float | None
    sd: float | None
    low: float | None
    high: float | None
    min: float | None
    max: float | None
    metrics: dict[str, float | None]
    cost: Cost
    statuses: dict[str, int]
    needs: list[str]
    reference: str
    peeks: bool
    custom: bool
    tuned: dict[str, Any] | None
    provisional: bool
    stale: bool
    mixed: bool
    vs_low: Difference | None
    why: str


class Table(_Part):
    """A task, preset, variant and device."""

    track: str
    task: str
    preset: str
    variant: str
    task_params: dict[str, Any]
    custom: bool
    device: str
    primary: Metric
    metrics: list[Metric]
    seeds_expected: int | None
    rows: list[Row]
    notes: list[str]


class Anchor(_Part):
    """What scores 0 or 1: a reference's mean, or a fixed value with its reason."""

    name: str
    value: float | None
    sd: float | None
    n: int | None
    why: str


class Budget(_Part):
    """What a run may spend."""

    seconds: float
    visits: int | None


class Cell(_Part):
    """A cell of the suite."""

    cell: str
    task: str
    preset: str
    variant: str
    state: Literal["scored", "inert", "unanchored"]
    frozen: bool
    drift: str
    low: Anchor
    high: Anchor
    chance: float | None
    primary: str
    budget: Budget


class Reached(_Part):
    """What a method reached in a cell: the mean normalised score of the runs that succeeded, and how many of its seeds."""

    score: float | None
    ok: int
    imputed: int
    of: int
    word: str


class TrackCost(_Part):
    """What one seed of all cells costs."""

    seconds: float | None
    visits: float | None
    peak_rss_mb: float | None


class Front(_Part):
    """Whether no other method costs as little and scores more."""

    visits: bool
    seconds: bool


class TrackRow(_Part):
    """A method in a track; ``iqm`` and ``p_better`` are value, low and high."""

    rank: int | None
    range: list[int] | None
    bold: bool
    method: str
    title: str
    reference: str
    peeks: bool
    needs: list[str]
    stale: bool
    score: float | None
    low: float | None
    high: float | None
    wide: list[float] | None
    iqm: list[float] | None
    p_better: list[float] | None
    mean_rank: float | None
    vs_null: Verdict | None
    vs_leader: Verdict | None
    provisional: bool
    imputed: int
    ok: int
    of: int
    cells: dict[str, Reached]
    cost: TrackCost
    front: Front
    why: str


class Tests(_Part):
    """The names of the tests used."""

    null: Test
    leader: Test
    pairs: Test


class Agreement(_Part):
    """The first three by each summary."""

    mean: list[str]
    iqm: list[str]
    mean_rank: list[str]
    agree: bool


class LeaveOneOut(_Part):
    """In how many drops of one task the first place holds, and who is first without each."""

    leader: str
    holds: int
    of: int
    without: dict[str, str]


class Coverage(_Part):
    """Runs that there should be, and that there are."""

    methods: int
    cells: int
    expected: int
    ok: int
    imputed: int


class Track(_Part):
    """The board of a track."""

    track: str
    title: str
    about: str
    valid: bool
    cells: list[Cell]
    scored_tasks: list[str]
    tests: Tests
    rows: list[TrackRow]
    pairs: list[Pair]
    agreement: Agreement | None
    leave_one_out: LeaveOneOut | None
    coverage: Coverage
    hardware: list[str]
    notes: list[str]


class TrackName(_Part):
    """A track of the suite."""

    title: str
    tasks: int
    cells: int


class Suite(_Part):
    """The suite."""

    name: str
    device: str
    seeds: int
    delta: float
    tracks: dict[str, TrackName]


class Board(_Part):
    """leaderboard.json."""

    schema_version: Literal[1]
    kind: Literal["board"]
    suite: Suite
    tracks: list[Track]
    tables: list[Table]
    notes: list[str]


def schema() -> str:
    """Return the JSON schema of a board."""
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "leaderboard.json of datacentric-bench", **msgspec.json.schema(Board)}
    return json.dumps(document, indent=1, sort_keys=False) + "\n"


def check(board: Any) -> None:
    """Raise ``msgspec.ValidationError`` unless ``board`` is what the schema says."""
    msgspec.convert(board, Board, strict=True)
