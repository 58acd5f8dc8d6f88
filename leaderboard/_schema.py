"""What leaderboard.json holds, as types: its JSON schema is generated from
them, and the tests hold every board against it.
"""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec

from ._schema_tables import Part as _Part
from ._schema_tables import Table

Word = Literal["better", "worse", "same", "undecided"]
Seeds = int | Literal["over 50"] | None


class Verdict(_Part):
    """A paired difference of normalised scores over the tasks of a track;
    the interval is the pair's own.
    """

    mean: float
    low: float
    high: float
    p: float
    p_holm: float
    verdict: Word
    leans: Literal["+", "-", ""]
    seeds_needed: Seeds


class Pairs(_Part):
    """Every pair of the placed methods, one entry a pair in each list: the first method with each
    after it, then the second, and so on; positive where the earlier is better.
    """

    methods: list[str]
    mean: list[float]
    low: list[float]
    high: list[float]
    p: list[float]
    p_holm: list[float]
    verdict: list[Word]
    leans: list[Literal["+", "-", ""]]
    seeds_needed: list[Seeds]


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
    """A cell of the suite; ``test_set`` says what its task judges by,
    nothing where no card says so.
    """

    cell: str
    task: str
    preset: str
    variant: str
    test_set: Literal["drawn", "official", "fixed", ""]
    state: Literal["scored", "saturated", "thin", "unanchored"]
    thin: str
    saturated: str
    frozen: bool
    drift: str
    low: Anchor
    high: Anchor
    chance: float | None
    floor: float | None
    primary: str
    budget: Budget


class Reached(_Part):
    """What a method reached in a cell: the mean normalised score of the runs that succeeded, the
    mean that counts, and how many of its seeds.
    """

    score: float | None
    counted: float | None
    below: Literal["", "below -1", "below chance"]
    ok: int
    imputed: int
    of: int
    word: str


class TrackCost(_Part):
    """What one seed of all cells costs; ``uncounted`` names what makes ``flops`` a lower bound."""

    seconds: float | None
    visits: float | None
    flops: float | None
    uncounted: str
    peak_rss_mb: float | None


class Front(_Part):
    """Whether no other method costs as little and scores more."""

    flops: bool
    visits: bool
    seconds: bool


class TrackRow(_Part):
    """A method in a track; ``range`` holds the ends of the 95 % range of
    the true rank, ``iqm`` and ``p_better`` value, low and high, ``warnings``
    what metrics of its tasks let one suspect. ``place_unaided`` is the place
    among the rows that need nothing, where others need something.
    """

    place: int | None
    range: list[int] | None
    leading: bool
    method: str
    title: str
    defaults: str
    reference: str
    plain: bool
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
    vs_first: Verdict | None
    vs_plain: Verdict | None
    provisional: bool
    imputed: int
    ok: int
    of: int
    cells: dict[str, Reached]
    cost: TrackCost
    machine_class: str = msgspec.field(name="class")
    front: Front
    warnings: list[str]
    why: str
    place_unaided: int | None = None


class Agreement(_Part):
    """The first three by each summary."""

    mean: list[str]
    iqm: list[str]
    mean_rank: list[str]
    agree: bool


class LeaveOneOut(_Part):
    """How often the first stays first when one task is left out, and who is first without each."""

    leader: str
    holds: int
    of: int
    without: dict[str, str]


class MachineClass(_Part):
    """A class of machine that runs were computed on: instruction class, kernels and GPU, and how
    many of the records shown are of it.
    """

    name: str
    cpu: str
    kernels: str
    gpu: str
    records: int


class DatasetRow(_Part):
    """A placed method by dataset: its normalised scores in the order of ``datasets``, their mean
    with its interval over datasets, how far it is behind the first, and where it is ahead of it.
    """

    method: str
    scores: list[float]
    mean: float
    low: float | None
    high: float | None
    behind: float
    behind_low: float | None
    behind_high: float | None
    ahead_on: list[str]


class OverDatasets(_Part):
    """The track by dataset: who leads on each, and who would be first without it."""

    datasets: list[str]
    leaders: dict[str, str]
    without: dict[str, str]
    rows: list[DatasetRow]


class Coverage(_Part):
    """Runs that there should be, and that there are."""

    methods: int
    cells: int
    expected: int
    ok: int
    imputed: int


class Track(_Part):
    """The board of a track; ``datasets`` is there where the suite asks for it."""

    track: str
    title: str
    about: str
    valid: bool
    cells: list[Cell]
    scored_tasks: list[str]
    best_plain: str
    test: str
    rows: list[TrackRow]
    pairs: Pairs | None
    agreement: Agreement | None
    leave_one_out: LeaveOneOut | None
    coverage: Coverage
    hardware: list[str]
    notes: list[str]
    datasets: OverDatasets | None = None


class TrackName(_Part):
    """A track of the suite."""

    title: str
    tasks: int
    cells: int


class Suite(_Part):
    """The suite."""

    name: str
    device: str
    tier: str
    tiers: dict[str, int]
    budget: int
    seeds: int
    delta: float
    tracks: dict[str, TrackName]


class Board(_Part):
    """leaderboard.json."""

    schema_version: Literal[3]
    kind: Literal["board"]
    suite: Suite
    classes: list[MachineClass]
    tracks: list[Track]
    tables: list[Table]
    notes: list[str]


def schema() -> str:
    """Return the JSON schema of a board."""
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "leaderboard.json of datacentric-bench",
        **msgspec.json.schema(Board),
    }
    return json.dumps(document, indent=1, sort_keys=False) + "\n"


def check(board: Any) -> None:
    """Raise ``msgspec.ValidationError`` unless ``board`` is what the schema says."""
    msgspec.convert(board, Board, strict=True)
