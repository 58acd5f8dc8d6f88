"""Published figures beside records: every row of a table with what was measured and its verdict.

Only records speak for what was measured, and nothing of it enters a rank.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from bench.cards import Metric, TaskCard
from bench.published import needed
from bench.runs.figures import held
from bench.runs.record import Record

from ._classes import compared_runs
from ._paper_file import Departure, Figure, Ordering, Paper
from ._paper_verdicts import Sample, Verdict, figure_verdict, ordering_verdict, sample

POINTS = ("%", "points")
"""Units that the rule for figures is made for."""
Planned = Mapping[str, Any]
"""What the command knows of a method on a cell; see :func:`._papers.published`."""


class _Runs(NamedTuple):
    """The records of a method on a cell, on one device, one a seed."""

    records: list[Record]
    stale: list[int]
    metric: str

    @property
    def values(self) -> dict[int, float]:
        """Seed -> figure, of those that have one."""
        return {
            record.seed: figure
            for record in self.records
            if record.status == "ok" and (figure := record.metrics.get(self.metric)) is not None
        }

    @property
    def obstacle(self) -> str:
        """Why the seeds can't be averaged; empty: they can."""
        for record in self.records:
            if record.status != "ok":
                return f"seed {record.seed} ended as {record.status}"
            if record.metrics.get(self.metric) is None:
                return f"seed {record.seed} has no {self.metric}"
            if record.not_rankable:
                return f"seed {record.seed} is not rankable: {record.not_rankable}"
        return ""


def listed(name: str, paper: Paper) -> dict[str, Any]:
    """Return a table as plain data, its empty fields filled from the table's own."""
    common = [_departure(part) for part in paper.departs]

    def entry(row: Figure | Ordering, **fields: Any) -> dict[str, Any]:
        run = bool(row.cell)  # what is not run has no protocol that departs, and costs nothing
        return {
            **fields,
            "metric": row.metric or paper.metric,
            "read": row.read or paper.read,
            "departs": [*(common if run else ()), *map(_departure, row.departs)],
            "cost": row.cost or (paper.cost if run else ""),
        }

    return {
        "name": name,
        "paper": paper.paper,
        "place": paper.place,
        "read": paper.read,
        "cost": paper.cost,
        "problem": "",
        "rows": [
            *(
                entry(
                    row,
                    kind="figure",
                    method=row.method,
                    cell=row.cell,
                    published=row.published,
                    sd=row.sd,
                    over=row.over,
                )
                for row in paper.rows
            ),
            *(
                entry(
                    claim,
                    kind="ordering",
                    method=claim.above,
                    cell=claim.cell,
                    below=claim.below,
                    below_cell=claim.below_cell or claim.cell,
                    by=claim.by,
                )
                for claim in paper.orderings
            ),
        ],
    }


def _departure(part: str | Departure) -> dict[str, Any]:
    found = Departure(what=part) if isinstance(part, str) else part
    return {"what": found.what, "breaks": found.breaks}


def judged(
    papers: Sequence[Mapping[str, Any]],
    records: Sequence[Record],
    tasks: Mapping[str, TaskCard],
    planned: Mapping[str, Planned],
    stale: Collection[str],
) -> list[dict[str, Any]]:
    """Return tables with what the records say of every row: one line a device that has any.

    Args:
        papers: as :func:`listed` makes them.
        records: in any order.
        tasks: ``track/name`` -> card.
        planned: what the command knows of it, by the names of :func:`bench.published.needed`.
        stale: ids of records whose key is no longer the live one.
    """
    wanted = {group for plan in planned.values() for group in plan["groups"]}
    mine, _ = held([record for record in records if record.group in wanted], tasks)
    kept = compared_runs([record for record in mine if record.status != "interrupted"], stale)
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in kept.records:
        if record.id not in kept.aside:
            groups[record.group].append(record)
    return [
        {
            **paper,
            "rows": [
                line for row in paper["rows"] for line in _lines(row, planned, tasks, groups, stale)
            ],
        }
        for paper in papers
    ]


def _lines(
    row: Mapping[str, Any],
    planned: Mapping[str, Planned],
    tasks: Mapping[str, TaskCard],
    groups: Mapping[str, list[Record]],
    stale: Collection[str],
) -> list[dict[str, Any]]:
    if not row["cell"]:
        return [{**row, **_nothing(""), "problem": ""}]
    plans = [planned[name] for name in needed(row)]
    problem = next(
        filter(None, (plan["problem"] or _unfit(row, plan, tasks) for plan in plans)), ""
    )
    if problem:
        return [{**row, **_nothing(""), "problem": problem}]
    by_device: dict[str, list[_Runs]] = {}
    for device in sorted({where for plan in plans for where in plan["groups"].values()}):
        found = [
            [
                record
                for group, where in plan["groups"].items()
                if where == device
                for record in sorted(groups.get(group, ()), key=lambda record: record.seed)
            ]
            for plan in plans
        ]
        if any(found):
            by_device[device] = [
                _Runs(
                    records,
                    [record.seed for record in records if record.id in stale],
                    row["metric"],
                )
                for records in found
            ]
    lines = []
    for device, runs in by_device.items() or [("", [_Runs([], [], row["metric"]) for _ in plans])]:
        shown = _measured(row, runs, _metric(row, plans[0], tasks))
        lines.append({**row, **_nothing(device), **shown, "problem": ""})
    return lines


def _nothing(device: str) -> dict[str, Any]:
    """Return what is said of a row without records."""
    return {
        "device": device,
        "n": 0,
        "mean": None,
        "sd_ours": None,
        "low": None,
        "high": None,
        "difference": None,
        "verdict": "",
        "why": "",
        "stale": [],
        "records": [],
    }


def _metric(row: Mapping[str, Any], plan: Planned, tasks: Mapping[str, TaskCard]) -> Metric | None:
    card = tasks[plan["task"]]
    return next((metric for metric in card.metrics if metric.name == row["metric"]), None)


def _unfit(row: Mapping[str, Any], plan: Planned, tasks: Mapping[str, TaskCard]) -> str:
    """Say why a row's metric can't be judged; empty: it can."""
    metric = _metric(row, plan, tasks)
    if metric is None:
        known = ", ".join(metric.name for metric in tasks[plan["task"]].metrics)
        return f"the task {plan['task']} has no metric {row['metric']!r}; its metrics are {known}"
    if row["kind"] == "figure" and metric.unit not in POINTS:
        return (
            f"the metric {metric.name!r} of {plan['task']} is in {metric.unit or 'no unit'}, and "
            "the rule for figures is in points of percent; name a metric in %"
        )
    low, high = metric.bounds or (None, None)
    published = row.get("published")
    if published is not None and not (
        (low is None or published >= low) and (high is None or published <= high)
    ):
        return f"{published:g} is published, outside the bounds of {metric.name!r}"
    return ""


def _measured(
    row: Mapping[str, Any], runs: Sequence[_Runs], metric: Metric | None
) -> dict[str, Any]:
    """Return what the records say of a row on one device, and its verdict."""
    obstacle = next(filter(None, (part.obstacle for part in runs)), "")
    breaks = any(departure["breaks"] for departure in row["departs"])
    values = [part.values for part in runs]
    difference = None
    if row["kind"] == "ordering":
        sign = -1 if metric is not None and metric.direction == "min" else 1
        common = sorted(values[0].keys() & values[1].keys())
        found = sample([sign * (values[0][seed] - values[1][seed]) for seed in common])
        verdict = ordering_verdict(found, row["by"], obstacle, breaks)
    else:
        found = sample([values[0][seed] for seed in sorted(values[0])])
        verdict = Verdict("")
        if row["published"] is not None:
            verdict = figure_verdict(found, row["published"], row["sd"], obstacle, breaks)
            if found.mean is not None and not obstacle:
                difference = found.mean - row["published"]
    return {
        # of a row with a seed that failed no mean is shown: it would be that of the rest
        **_shown(Sample(found.n, None, None, None) if obstacle else found),
        "difference": difference,
        "verdict": verdict.word,
        "why": verdict.why,
        "stale": sorted({seed for part in runs for seed in part.stale}),
        "records": [_told(record) for part in runs for record in part.records],
    }


def _shown(found: Sample) -> dict[str, Any]:
    """Return a sample as plain data."""
    ends = found.mean is not None and found.half is not None
    return {
        "n": found.n,
        "mean": found.mean,
        "sd_ours": found.sd,
        "low": found.mean - found.half if ends else None,  # type: ignore[operator]
        "high": found.mean + found.half if ends else None,  # type: ignore[operator]
    }


def _told(record: Record) -> dict[str, Any]:
    git = record.provenance.get("bench_git")
    git = git if isinstance(git, Mapping) else {}
    return {
        "id": record.id,
        "key": record.key,
        "method": record.method,
        "seed": record.seed,
        "status": record.status,
        "device": record.device,
        "commit": str(git.get("commit") or ""),
        "dirty": bool(git.get("dirty")),
        "solve_s": msgspec.to_builtins(record.cost.get("solve_s")),
    }
