"""Runs plugins in ways that a grid never does."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.conformance.observe import answers_seen
from bench.conformance.report import Finding
from bench.conformance.verdicts import Records, judged
from bench.executors import Executor
from bench.executors.inline import InlineExecutor
from bench.plugins.entries import Entry
from bench.plugins.registry import Registry, task_card
from bench.runs.driver import Driver
from bench.runs.plan import Cell, Plan
from bench.runs.replay import differing
from bench.runs.store import Store


class Lab:
    """Runs plugins in ways that a grid never does, into a folder that is thrown away."""

    def __init__(
        self,
        registry: Registry,
        folder: Path,
        device: str,
        quick: bool,
        say: Callable[[str], None] = lambda _: None,
        tasks: Sequence[Entry] = (),
    ) -> None:
        self.registry, self.folder, self.device, self.quick, self.say, self.tasks = (
            registry,
            folder,
            device,
            quick,
            say,
            tasks,
        )
        self.absent: list[str] = []
        """Why cells could not run here: their data is not on this machine."""
        self._stores = itertools.count()

    def seeds_differ(self, cells: Sequence[Cell], records: Records) -> Iterator[Finding]:
        """Say whether the two seeds of a row give different metrics, or the same figures of
        different answers: a coarse metric knows few figures.
        """
        if len(cells) == 2 and cells[0].spec.group == cells[1].spec.group:
            differ = bool(
                differing(
                    records[cells[0].spec.cell],
                    records[cells[1].spec.cell],
                    task_card(cells[0].task),
                )
            )
            if not differ:
                with answers_seen() as answers:
                    self.run(cells)
                differ = answers.get(cells[0].spec.cell) != answers.get(cells[1].spec.cell)
            yield judged(
                "other-seed",
                cells[1],
                differ,
                "seeds 0 and 1 give the same answers and metrics; data and streams differ, so "
                "something is fixed",
            )

    # Running -------------------------------------------------------------------------

    def store(self) -> Store:
        """Return a new store of its own."""
        store = Store(self.folder / f"results-{next(self._stores)}")
        store.open_for_writing()
        return store

    def run(
        self, cells: Sequence[Cell], executor: Executor | None = None, apart: bool = False
    ) -> Records:
        """Run cells into a store of their own, those whose data is here;
        ``apart``: each as a job by itself.
        """
        found: Records = {}
        for part in [[cell] for cell in cells] if apart else [list(cells)]:
            driver = Driver(self.registry, self.store())
            _, todo = driver.split(Plan(part, []))
            if todo:
                more = f" and {len(todo) - 1} more" if len(todo) > 1 else ""
                self.say(f"{todo[0].cell.spec.label()}{more}")
            with contextlib.redirect_stderr(io.StringIO()):  # what an error says is in its record
                found |= {
                    keyed.cell.spec.cell: record
                    for keyed, record in driver.run(
                        todo, executor or InlineExecutor(), 1, lambda *_: None
                    )
                    if record is not None
                }
            self.absent += [f"{item.task}: {item.reason}" for item in driver.not_run]
        return found
