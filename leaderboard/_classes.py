"""Which class of machine the runs of one task, variant and seed are
compared in: one record a cell, and what is left aside.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bench.digests import digest
from bench.runs.kernels import in_words
from bench.runs.machine_classes import Vote, class_of, clock_of, elect, names_of
from bench.runs.record import Record


class Classes:
    """The classes of records, each provenance looked at once, with short
    names that tell them apart.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        """Name the classes of these records."""
        sources = {id(record.provenance): record.provenance for record in records}
        self._of = {name: class_of(source) for name, source in sources.items()}
        self.sources = {self._of[name]: source for name, source in sources.items()}
        self.names = names_of(
            {name: {**source, "limited_from": None} for name, source in self.sources.items()}
        )
        self._clocks = {name: clock_of(source) for name, source in sources.items()}
        self.clocks = names_of({self._clocks[name]: source for name, source in sources.items()})
        """Short names of what seconds are comparable within."""

    def of(self, record: Record) -> str:
        """Return the class of one of the records, as a digest."""
        return self._of[id(record.provenance)]

    def clock(self, record: Record) -> str:
        """Return what the seconds of one of the records are comparable within, as a digest."""
        return self._clocks[id(record.provenance)]

    def named(self, records: Iterable[Record]) -> str:
        """Return the short names of the classes of some records, as one
        text; empty: there is no record.
        """
        return ", ".join(sorted({self.names[self.of(record)] for record in records}))

    def summary(self, records: Iterable[Record]) -> list[dict[str, Any]]:
        """Return the classes of some records as plain data, the most frequent first."""
        counts: dict[str, int] = defaultdict(int)
        for record in records:
            counts[self.of(record)] += 1
        found = []
        for name in sorted(counts, key=lambda name: (-counts[name], self.names[name])):
            source = self.sources[name]
            kernels, gpu = source.get("kernels"), source.get("gpu")
            said = in_words(kernels) if isinstance(kernels, Mapping) else ""
            card = str(gpu.get("name", "")) if isinstance(gpu, Mapping) else ""
            found.append(
                {
                    "name": self.names[name],
                    "cpu": str(source.get("cpu_class") or ""),
                    "kernels": said,
                    "gpu": card,
                    "records": counts[name],
                }
            )
        return found


class ComparedRuns(NamedTuple):
    """One record a cell; of a task, variant and seed those that are compared share a class."""

    records: list[Record]
    aside: frozenset[str]
    """Ids of those that are not compared: their cell has no record of the class of the others."""
    classes: Classes
    kept: frozenset[str] = frozenset()
    """Ids of the records; empty where all are of one class and there was no choice."""

    def mark(self, record: Record) -> str:
        """Return what the choice made of a record, for a name of what is
        made of it; empty where there was no choice.
        """
        return (
            ""
            if not self.kept
            else "~"
            if record.id in self.aside
            else "="
            if record.id in self.kept
            else "."
        )


def compared_runs(
    records: Sequence[Record], stale: Collection[str], prefer: Mapping[Any, str] | None = None
) -> ComparedRuns:
    """Return one record a cell: of the class in which most runs of its task, variant and seed stand
    (see :func:`bench.runs.machine_classes.elect`).

    Within a class a live record comes before a stale one, then an ok one, then the newest. Where
    all records are of one class, that is all there is to choose.

    Args:
        records: any, in any order.
        stale: ids of records whose key is no longer the live one.
        prefer: unit (see :func:`unit_of`) -> class, taken where as many runs of the unit stand in
            it as in another.
    """
    classes = Classes(records)
    several = len(classes.sources) > 1
    best: dict[tuple[str, str], Record] = {}

    def standing(record: Record) -> tuple[Any, ...]:
        return (
            record.id not in stale,
            record.status == "ok",
            record.ended,
            record.attempt,
            record.id,
        )

    for record in records:
        name = record.cell, classes.of(record) if several else ""
        known = best.get(name)
        if known is None or standing(record) > standing(known):
            best[name] = record
    aside: set[str] = set()
    if several:
        best, aside = _elected(best, stale, prefer or {})
    kept = sorted(
        best.values(),
        key=lambda record: (record.track, record.task, record.method, record.seed, record.id),
    )
    return ComparedRuns(
        kept,
        frozenset(aside),
        classes,
        frozenset(record.id for record in kept) if several else frozenset(),
    )


def _elected(
    best: dict[tuple[str, str], Record], stale: Collection[str], prefer: Mapping[Any, str]
) -> tuple[dict[tuple[str, str], Record], set[str]]:
    """Return the records of the classes elected, and of cells without one
    the best of another class, whose ids are given too.
    """
    units = {
        record.cell: unit
        for record, unit in zip(best.values(), units_of(best.values()), strict=True)
    }
    votes = [
        Vote(
            units[cell],
            machine,
            record.id not in stale,
            not record.custom,
            record.reference in ("low", "high"),
        )
        for (cell, machine), record in best.items()
        if record.status != "interrupted"
    ]
    elected = elect(votes, prefer)
    kept: dict[tuple[str, str], Record] = {}
    others: dict[str, list[Record]] = defaultdict(list)
    for (cell, machine), record in best.items():
        if elected.get(units[cell], machine) == machine:
            kept[cell, ""] = record
        else:
            others[cell].append(record)
    aside = set()
    for cell, found in others.items():
        if (cell, "") not in kept:
            kept[cell, ""] = max(
                found,
                key=lambda record: (
                    record.id not in stale,
                    record.status == "ok",
                    record.ended,
                    record.id,
                ),
            )
            aside.add(kept[cell, ""].id)
    return kept, aside


def units_of(records: Iterable[Record]) -> Iterable[tuple[Any, ...]]:
    """Yield the unit of each record: what shares a class, a task with its
    parameters, a variant and a seed.
    """
    problems: dict[int, str] = {}
    for record in records:
        if id(record.task_params) not in problems:
            problems[id(record.task_params)] = digest(record.task_params)
        yield (
            record.track,
            record.task,
            record.preset,
            record.variant,
            record.device,
            problems[id(record.task_params)],
            record.seed,
        )


def chosen_classes(runs: ComparedRuns) -> dict[tuple[Any, ...], str]:
    """Return the class of each unit, where there was a choice."""
    kept = [record for record in runs.records if record.id not in runs.aside] if runs.kept else []
    return {
        unit: runs.classes.of(record) for unit, record in zip(units_of(kept), kept, strict=True)
    }


def main_clock(records: Iterable[Record], classes: Classes) -> str:
    """Return the clock that most cells have a run of, then most runs: seconds are of it alone,
    since those of two are not comparable (see :func:`bench.runs.machine_classes.clock_of`).
    """
    cells: dict[str, set[tuple[str, str]]] = defaultdict(set)
    counts: dict[str, int] = defaultdict(int)
    for record in records:
        name = classes.clock(record)
        cells[name].add((record.task, record.variant))
        counts[name] += 1
    return min(
        counts,
        key=lambda name: (-len(cells[name]), -counts[name], classes.clocks[name]),
        default="",
    )
