"""What leaderboard.json holds of a table by variant, as types."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Direction = Literal["max", "min", "none"]


class Part(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A part of the document: every field is there."""


class Metric(Part):
    """A metric of a task."""

    name: str
    direction: Direction
    unit: str
    title: str


class Difference(Part):
    """A paired difference in a metric's unit, positive where the row is better."""

    mean: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    n: int


class Cost(Part):
    """Seconds, example visits, MB and operations of a row of a table;
    ``uncounted`` names what makes ``flops`` a lower bound.
    """

    solve_s: float | None
    solve_cpu_s: float | None
    forward: float | None
    backward: float | None
    peak_rss_mb: float | None
    stack: float | None
    flops: float | None
    uncounted: str


class Row(Part):
    """A method in one table, in the metric's unit; ``range`` holds the
    ends of the 95 % range of the true rank.

    ``worst`` names the metric in which the row is worst, of those that limit the primary one, by
    what it is called there; ``warnings`` says what metrics let one suspect.
    """

    place: int | None
    range: list[int] | None
    leading: bool
    method: str
    defaults: str
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
    worst: dict[str, str]
    warnings: list[str]
    cost: Cost
    machine_class: str = msgspec.field(name="class")
    statuses: dict[str, int]
    needs: list[str]
    reference: str
    plain: bool
    peeks: bool
    custom: bool
    tuned: dict[str, Any] | None
    provisional: bool
    stale: bool
    mixed: bool
    vs_low: Difference | None
    why: str


class Table(Part):
    """A task, preset, variant and device; ``test_set`` as in a cell of the suite, ``columns`` the
    names of the metrics that are shown beside the primary one, in order.
    """

    track: str
    task: str
    preset: str
    variant: str
    task_params: dict[str, Any]
    custom: bool
    device: str
    test_set: Literal["drawn", "official", "fixed", ""]
    primary: Metric
    metrics: list[Metric]
    columns: list[str]
    seeds_expected: int | None
    rows: list[Row]
    notes: list[str]
