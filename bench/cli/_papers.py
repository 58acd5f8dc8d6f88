"""Tables of published figures, asked of the plugin that holds them: what runs each row, what of it
is recorded, and what the records say.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bench.cli._board import render, stale_ids
from bench.cli._papers_rows import Rows
from bench.errors import BenchError, PluginError, UsageError, near
from bench.published import needed

if TYPE_CHECKING:
    from bench.plugins.entries import Entry
    from bench.plugins.registry import Registry
    from bench.runs.plan import Cell
    from bench.runs.record import Brief, Record
    from bench.runs.store import Store

DEVICES = ("cpu", "cuda")
"""Devices whose records count, whichever the command runs on."""


class Part(msgspec.Struct, kw_only=True):
    """A method on a cell: what a row needs to be measured, of an ordering one of two."""

    task: str = ""
    """``track/task``; empty: there is a problem."""
    problem: str = ""
    """Why it can't be planned: a name or a parameter is wrong."""
    unavailable: str = ""
    """Why it can't run here."""
    cells: list[Cell] = []
    """One a seed that is wanted, on the device of the command."""
    groups: dict[str, str] = {}
    """Digest of the cell without its seed -> device."""
    missing: list[Cell] = []
    """Of the cells, those to run."""
    seconds: float | None = None
    """Of a run, by its records; None: there is none."""

    @property
    def recorded(self) -> int:
        """Seeds that are wanted and have a record."""
        return len(self.cells) - len(self.missing)


class Papers:
    """Tables of published figures, planned and held against records."""

    def __init__(
        self,
        registry: Registry,
        store: Store,
        device: str,
        names: Sequence[str] = (),
        folders: Iterable[Path] = (),
        seeds: str | None = None,
        rows: Rows | None = None,
    ) -> None:
        """Read tables and plan what they ask for.

        Args:
            registry: plugins.
            store: the records.
            device: that runs would run on.
            names: tables: names, globs, paths of files; none: all.
            folders: where else rooms with tables lie.
            seeds: as ``--seeds`` takes them; None: the presets'.
            rows: which rows; None: all.

        Raises:
            UsageError: there is no such table, or the seeds are wrong. NothingSelected: no table
                has such a row.
        """
        from bench.runs.seeds import parse_seeds

        parse_seeds(seeds, 1)
        self.registry, self.store, self.device = registry, store, device
        found = registry.manager.hook.bench_papers(
            options={"names": list(names), "folders": list(folders)}
        )
        if found is None:
            raise PluginError(
                "no plugin holds published figures; the built-in one is missing from this "
                "installation. Install datacentric-bench again."
            )
        self.papers = (rows or Rows()).of(found)
        self.parts = {
            name: _part(registry, method, cell, device, seeds)
            for paper in self.papers
            for row in paper["rows"]
            for name, (method, cell) in needed(row).items()
        }
        self.look()

    def look(self) -> None:
        """Find the records of all rows, and what is missing; again after runs."""
        from bench.runs.schedule import Expected

        groups = {group for part in self.parts.values() for group in part.groups}
        self.records: list[Brief] = [
            record for record in self.store.briefs() if record.group in groups
        ]
        self.stale = stale_ids(self.registry, self.records)
        expected = Expected(record for record in self.records if record.status == "ok")
        for part in self.parts.values():
            part.missing = lacking(part, self.records, self.stale)
            part.seconds = expected.recorded(part.cells[0]) if part.cells else None
        self._judged: dict[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """Return the tables with what the records say of every row, as plain data."""
        if self._judged is None:
            self._judged = self._judge()
        return self._judged

    def _judge(self) -> dict[str, Any]:
        from bench.runs.select import spoken

        planned = {
            key: {
                "task": part.task,
                "problem": part.problem,
                "groups": part.groups,
                "expected": "" if part.seconds is None else f"{spoken(part.seconds)} a seed",
            }
            for key, part in self.parts.items()
        }
        found: dict[str, Any] = self.registry.manager.hook.bench_published(
            papers=self.papers,
            records=self.records,
            tasks=self.registry.cards(),
            options={"planned": planned, "stale": self.stale},
        )
        return found

    def text(self, style: str) -> str:
        """Return the tables written out: ``md`` or ``page``."""
        return render(self.registry, self.document(), style)

    def parts_of(self, paper: dict[str, Any]) -> list[Part]:
        """Return what a table needs, each method on a cell once."""
        names = dict.fromkeys(name for row in paper["rows"] for name in needed(row))
        return [self.parts[name] for name in names]

    def problems(self) -> list[str]:
        """Return what is wrong with tables and rows, in sentences, each with its first row."""
        found = [paper["problem"] for paper in self.papers if paper["problem"]]
        for paper in self.document()["papers"]:
            rows: dict[str, list[str]] = {}
            for row in paper["rows"]:
                if row["problem"]:
                    label = f"{row['method']} on {row['cell']}"
                    rows.setdefault(row["problem"], []).append(label)
            for problem, labels in rows.items():
                more = f" and {len(labels) - 1} more rows" if len(labels) > 1 else ""
                found.append(
                    f"the table {paper['name']!r} asks for {labels[0]}{more}, which can't be "
                    f"measured: {problem}"
                )
        return found

    def data(self) -> dict[str, str]:
        """Return why each dataset of these tables is not on this machine; an empty text: it is.

        Nothing is fetched. A dataset is loaded in a process aside where nobody knows of it yet.
        """
        from bench.plugins.registry import dataset_card, task_card
        from bench.runs.driver import Driver
        from bench.runs.keys import Keys

        cells: dict[str, Cell] = {}
        for part in self.parts.values():
            for cell in part.cells[:1]:
                for name in task_card(cell.task).datasets:
                    cells.setdefault(name, cell)
        found = dict.fromkeys(sorted(cells), "")
        elsewhere = {
            name: cells[name]
            for name in found
            if dataset_card(self.registry.get("dataset", name)).had in ("hub", "local")
        }
        driver = Driver(self.registry, self.store, keys=Keys(self.registry))
        driver.look([(cell, name) for name, cell in elsewhere.items()], fetch=False)
        for name, cell in elsewhere.items():
            absent = driver.data_status.absent(cell, {name: ""})
            if absent and os.environ.get("BENCH_HUB") == "1":
                absent = f"a run fetches {name} from the hub, since BENCH_HUB is 1"
            found[name] = absent
        return found


def lacking(part: Part, records: Iterable[Record], stale: Collection[str]) -> list[Cell]:
    """Return the cells of a part that no record of today's code speaks for.

    Of a part that another device has whole there are none: nobody wants days of a CPU for what a
    GPU has done.
    """
    there: dict[str, set[int]] = {device: set() for device in part.groups.values()}
    for record in records:
        device = part.groups.get(record.group)
        if device is not None and record.status == "ok" and record.id not in stale:
            there[device].add(record.seed)
    wanted = {cell.spec.seed for cell in part.cells}
    if any(wanted <= seeds for seeds in there.values()):
        return []
    return [cell for cell in part.cells if cell.spec.seed not in there[cell.spec.device]]


def _part(registry: Registry, method: str, cell: str, device: str, seeds: str | None) -> Part:
    """Plan a method on a cell; a name or parameter that is wrong is its problem."""
    from bench.runs.plan import Request, make_plan

    try:
        task, preset, variant = cell.split("/")
        entry = _known(registry, method, task, preset, variant)
        plan = make_plan(
            Request(
                methods=(method,),
                tasks=(entry.identity,),
                preset=preset,
                variants=(variant,),
                seeds=seeds,
                device=device,
            ),
            registry,
        )
    except BenchError as error:
        return Part(problem=str(error))
    refused = [item for item in plan.not_run if item.status != "unavailable"]
    if refused:
        return Part(problem=refused[0].reason)
    if len({planned.spec.group for planned in plan.cells}) > 1:
        return Part(problem=f"{method!r} names several methods; a row is of one")
    if not plan.cells:
        return Part(task=entry.identity, unavailable=plan.not_run[0].reason)
    spec = plan.cells[0].spec
    return Part(
        task=entry.identity,
        cells=plan.cells,
        groups={
            msgspec.structs.replace(spec, device=where).group: where
            for where in sorted({*DEVICES, device})
        },
    )


def _known(registry: Registry, method: str, task: str, preset: str, variant: str) -> Entry:
    """Return the task of a cell.

    Raises:
        UsageError: one of the names is unknown; it is named as the file has it, not as an option.
    """
    from bench.params import split_call
    from bench.plugins.registry import task_card

    entry = registry.one("task", task)
    card, name = task_card(entry), split_call(method)[0]
    if preset not in card.presets:
        raise UsageError(
            f"{task} has no preset {preset!r}.{near(preset, card.presets)} Its presets: "
            f"{', '.join(card.presets)}."
        )
    if variant not in (variants := card.presets[preset].variants):
        raise UsageError(
            f"{task} has no variant {variant!r} in preset {preset!r}.{near(variant, variants)} "
            f"Its variants: {', '.join(variants)}."
        )
    if name not in {reference.name for reference in card.references if reference.solve}:
        registry.select("method", name, entry.track)
    return entry
