"""From records to rows: which record speaks for a cell, which records a
row averages, what the row is called and says.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import msgspec

from bench.digests import canonical
from bench.params import render_call
from bench.runs.record import Record

from ._classes import Classes
from ._statistics import mean, sample_sd, t_interval


@dataclass(frozen=True)
class Entrant:
    """The records of one row, one a seed and in the order of seeds."""

    label: str
    records: list[Record]
    values: dict[int, float]
    """Seed -> primary figure, of the ok records that have one."""
    aside: tuple[Record, ...] = ()
    """The records of seeds that are not compared: they ran on another
    class of machine than the others.
    """

    @property
    def ok(self) -> list[Record]:
        """The records that hold figures."""
        return [record for record in self.records if record.status == "ok"]

    @property
    def first(self) -> Record:
        """A record to ask for what all of them share."""
        return self.everything[0]

    @property
    def everything(self) -> list[Record]:
        """Its records, those that are not compared too."""
        return [*self.records, *self.aside]


def entrants(records: Iterable[Record], primary: str, aside: Collection[str] = ()) -> list[Entrant]:
    """Return the rows of one table, by label; ``records`` hold one a cell,
    and ``aside`` the ids of those that are not compared.
    """
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[record.group].append(record)
    members = [sorted(group, key=lambda record: record.seed) for group in groups.values()]
    rows = []
    for label, group in zip(_labels([group[0] for group in members]), members, strict=True):
        kept = [record for record in group if record.id not in aside] if aside else group
        rows.append(
            Entrant(
                label,
                kept,
                _figures(kept, primary),
                tuple(record for record in group if record.id in aside) if aside else (),
            )
        )
    return sorted(rows, key=lambda row: (row.label, row.first.id))


def _figures(records: Iterable[Record], name: str) -> dict[int, float]:
    figures = {record.seed: record.metrics.get(name) for record in records if record.status == "ok"}
    return {seed: figure for seed, figure in figures.items() if figure is not None}


def _labels(rows: Sequence[Record]) -> list[str]:
    """Name each row: the method, and the parameters in which the table's
    rows of that method differ.
    """
    settings: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        settings[row.method].append(_settings(row))
    names = []
    for row in rows:
        own = _settings(row)
        shown = {
            key: value
            for key, value in own.items()
            if any(key not in other or other[key] != value for other in settings[row.method])
        }
        unlike_an_absent_default = row.custom and "[" not in row.variant and not shown
        names.append(
            render_call(row.method, row.params if unlike_an_absent_default else shown)
            + (" (tuned)" if row.tuning else "")
        )
    return names


def _settings(record: Record) -> dict[str, Any]:
    return {**record.params, "dtype": record.dtype, "form": record.form}


def row_of(
    entrant: Entrant,
    metrics: Sequence[str],
    stale: Collection[str],
    classes: Classes,
    timed: str,
    defaults: str,
) -> dict[str, Any]:
    """Return the row as plain data, before it is compared with others: no place, no ``vs_low``, no
    reason yet.

    Args:
        entrant: its records.
        metrics: names of what is averaged.
        stale: ids of records whose key is no longer the live one.
        classes: of the machines that computed the records.
        timed: the clock whose seconds are shown.
        defaults: where its parameters come from, in words.
    """
    values = list(entrant.values.values())
    low, high = t_interval(values) or (None, None)
    return {
        "place": None,
        "range": None,
        "leading": False,
        "method": entrant.label,
        "defaults": defaults,
        "params": msgspec.to_builtins(entrant.first.params),
        "record_ids": [record.id for record in entrant.records],
        "n": len(values),
        "mean": figure(mean(values)) if values else None,
        "sd": figure(sample_sd(values)),
        "low": figure(low),
        "high": figure(high),
        "min": min(values, default=None),
        "max": max(values, default=None),
        "metrics": {
            name: _over(mean, (record.metrics.get(name) for record in entrant.ok))
            for name in metrics
        },
        "cost": _cost(
            entrant.ok, [record for record in entrant.ok if classes.clock(record) == timed]
        ),
        "class": classes.named(entrant.ok),
        "statuses": dict(
            sorted(
                Counter(record.status for record in entrant.records).items(),
                key=lambda item: (item[0] != "ok", item[0]),
            )
        ),
        "needs": sorted({need for record in entrant.everything for need in record.needs}),
        "reference": entrant.first.reference,
        "plain": False,  # for whoever knows the cards to say
        "peeks": any(record.peeks for record in entrant.everything),
        "custom": any(record.custom for record in entrant.everything),
        "tuned": _tuned(entrant.first.tuning),
        "provisional": False,
        "stale": any(record.id in stale for record in entrant.records),
        "mixed": bool(differing(entrant.ok, code=True)),
        "vs_low": None,
        "why": "",
    }


def _tuned(tuning: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Say by what, on what and among how many settings parameters were chosen."""
    if not tuning:
        return None
    return {
        **{
            name: len(said) if isinstance(said := tuning.get(name), list) else 0
            for name in ("trials", "seeds")
        },
        "metric": tuning.get("metric"),
        "split": tuning.get("split"),
        "seconds": tuning.get("seconds"),
    }


def _cost(records: Sequence[Record], timed: Sequence[Record]) -> dict[str, Any]:
    """Return what a run of a row costs; its seconds are of the records of one class of machine."""

    def cost(name: str) -> list[float | None]:
        return [record.cost.get(name) for record in (timed if name.endswith("_s") else records)]

    def count(name: str) -> list[float | None]:
        return [record.counters.get(name) for record in records]

    return {
        "solve_s": _over(median, cost("solve_s")),
        "solve_cpu_s": _over(median, cost("solve_cpu_s")),
        "forward": _over(median, count("forward")),
        "backward": _over(median, count("backward")),
        "peak_rss_mb": _over(max, cost("peak_rss_mb")),
        "stack": _over(max, cost("stack")),
        **flops_of(records),
    }


def flops_of(records: Sequence[Record]) -> dict[str, Any]:
    """Return the operations of a row, in the mean of the seeds that were counted (None: no seed
    was), and what was done beyond them, by name.
    """
    counted = [record.flops for record in records if record.flops is not None]
    names = sorted({name for flops in counted for name in flops.uncounted})
    return {
        "flops": _over(mean, [float(flops.total) for flops in counted]),
        "uncounted": "; ".join(names),
    }


def on_axis(cost: Mapping[str, Any], axis: str) -> bool:
    """Say whether a cost is known on an axis: a lower bound is not, and no
    visits at all are visits that nobody counted.
    """
    return (
        cost["flops"] is not None and not cost["uncounted"] if axis == "flops" else bool(cost[axis])
    )


def _over(
    summary: Callable[[Sequence[float]], float], values: Iterable[float | None]
) -> float | None:
    known = [value for value in values if value is not None]
    return figure(summary(known)) if known else None


def figure(value: float | None) -> float | None:
    """Return ``value``, or None where it is no finite number: JSON knows
    neither nan nor infinity.
    """
    return value if value is not None and math.isfinite(value) else None


def differing(records: Iterable[Record], code: bool = False) -> list[str]:
    """Name what differs in how ``records`` were computed besides the class of the machine: threads,
    a library's version and, if asked, the code.
    """
    seen: dict[str, set[bytes]] = defaultdict(set)
    for source in {id(record.provenance): record.provenance for record in records}.values():
        facts: dict[str, Any] = {
            key: source[key] for key in ("threads", *(["files"] if code else [])) if key in source
        } | source.get("versions", {})
        for name, fact in facts.items():
            seen[name].add(canonical(fact))
    return sorted(name for name, facts in seen.items() if len(facts) > 1)
