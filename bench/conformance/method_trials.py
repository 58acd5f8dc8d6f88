"""What can be said of a method by running it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.conformance.lab import Lab
from bench.conformance.observe import modules_seen
from bench.conformance.report import Finding
from bench.conformance.verdicts import Records, ended, judged, named, repeated
from bench.conformance.watch import Watch
from bench.executors.configs import make_executor
from bench.executors.slots import Slots
from bench.plugins.cache_folder import cache_folder
from bench.plugins.entries import Entry
from bench.plugins.registry import method_card
from bench.runs.driver import Driver
from bench.runs.plan import Cell, Plan, Request, make_plan
from bench.runs.preload_names import preload_names


class MethodTrials(Lab):
    """Runs a method as it is, again, as the other form, and in a process of its own."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._later: list[tuple[Entry, list[Cell], Records]] = []
        """Methods whose first runs ended well: they run once more, all on
        one server, since a server takes as long as many runs.
        """

    def method(self, entry: Entry) -> Iterator[Finding]:
        """Yield what running a method shows."""
        cells, left = self._cells(entry)
        for reason in left:
            yield Finding(rule="solves", subject="", outcome="skipped", said=reason)
        if not cells:
            yield Finding(rule="solves", subject="", outcome="failed", said=self._nowhere(entry))
            return
        homes = [Path(entry.target.root or entry.target.path)]
        with Watch(homes, [self.folder, cache_folder()]) as watch:
            first = self._first(cells)
        for reason in dict.fromkeys(self.absent):
            yield Finding(rule="solves", subject="", outcome="skipped", said=reason)
        cells = [cell for cell in cells if cell.spec.cell in first]
        yield from ended(cells, first)
        yield named("files", watch.written, "it wrote {}; use run.workdir, which is the run's own")
        yield named(
            "network", watch.asked, "it asked for {}; a method gets its data from its problem"
        )
        good = [cell for cell in cells if first[cell.spec.cell].status == "ok"]
        if good:
            yield from self._repeats(entry, good, first)

    def _nowhere(self, entry: Entry) -> str:
        tracks = ", ".join(method_card(entry).tracks)
        return (
            f"no task of {tracks} with a preset 'smoke' takes it; a misspelt track, or a need "
            "that no task offers"
        )

    def _cells(self, entry: Entry) -> tuple[list[Cell], list[str]]:
        """Return the seeds of every smoke variant that takes the method, and why others do not:
        two, or three of a method that stacks, since a seed alone runs beside itself, as two.
        """
        tasks = tuple(task.identity for task in self.tasks if task.track == entry.track)
        request = Request(
            methods=(entry.identity,),
            track=entry.track,
            tasks=tasks,
            preset="smoke",
            seeds="3" if method_card(entry).stacked else "2",
            device=self.device,
        )
        plan = make_plan(request, self.registry)
        return [cell for cell in plan.cells if cell.method is not None], [
            f"{item.task}: {item.reason}" for item in plan.not_run
        ]

    def _first(self, cells: Sequence[Cell]) -> Records:
        """Run cells for the first time: all, the second seed of one row alone where seeds run one
        by one; in the quick form, only the first row whose data is here.
        """
        self.absent = []
        groups = list(dict.fromkeys(cell.spec.group for cell in cells))
        if not self.quick and any(cell.spec.form == "stacked" for cell in cells):
            return self.run(cells)
        zero = {} if self.quick else self.run([cell for cell in cells if cell.spec.seed == 0])
        ran = {cell.spec.group for cell in cells if cell.spec.cell in zero}
        for group in groups if self.quick else [group for group in groups if group in ran]:
            if found := self.run(
                [cell for cell in cells if cell.spec.group == group and cell.spec.cell not in zero]
            ):
                self.absent = [] if self.quick else self.absent
                return zero | found
        return zero

    def _repeats(self, entry: Entry, cells: Sequence[Cell], first: Records) -> Iterator[Finding]:
        """Run what ended well again: as it was, and its examples counted;
        as the other form, and in a process of its own, later.
        """
        zero, stacked = [cell for cell in cells if cell.spec.seed == 0], method_card(entry).stacked
        stack = list(self._alone(zero[:1], first)) if stacked and self.quick else []
        # seed 0 beside itself is what it was beside others, so it is the same twice, too
        if stack and stack[0].outcome == "passed":
            again, counts = first, self._counts(zero[:1])
        elif stacked:
            again, counts = self.run(cells), self._counts(zero[:1])
        else:
            counted, counts = self._counted(zero[:1])
            again = counted | self.run(zero[1:])
        same = [
            repeated(
                "same-seed",
                cell,
                first,
                again,
                "it draws from somewhere else than run.seeded, run.torch_generator or "
                "run.numpy_generator",
            )
            for cell in zero
        ]
        yield from same
        for group in dict.fromkeys(cell.spec.group for cell in cells):
            yield from self.seeds_differ(
                [cell for cell in cells if cell.spec.group == group][:2], first
            )
        yield from counts
        if not self.quick:
            self._later.append((entry, zero, first))
        # what differs from call to call says nothing of neighbours
        elif all(finding.outcome == "passed" for finding in same):
            yield from stack

    def _alone(self, zero: Sequence[Cell], first: Records) -> Iterator[Finding]:
        """Run seed 0 of a stacked method beside itself."""
        alone = self.run(zero, apart=True)
        for cell in zero:
            yield repeated(
                "stack",
                cell,
                first,
                alone,
                "seed 0 beside seeds 1 and 2 is not seed 0 beside itself; reduce over the members' "
                "own axes alone: a loss is (K, B) or (K, 1), and a mean over everything is one "
                "number for K nets",
            )

    def elsewhere(self) -> Iterator[tuple[Entry, Finding]]:
        """Run seed 0 by itself in a process of its own: what then is as it
        was depends on neither its process nor its neighbours.
        """
        cells = [cell for _, zero, _ in self._later for cell in zero]
        if not cells:
            return
        _, todo = Driver(self.registry, self.store()).split(Plan(cells, []))
        fresh = self.run(
            cells, make_executor("local", Slots(2), preload_names(todo, self.registry))
        )
        said = (
            "it depends on what ran before in the process: a module's variable, a cache, an "
            "order of a set"
        )
        for entry, zero, first in self._later:
            stacked = method_card(entry).stacked
            for cell in zero:
                finding = repeated("fresh-process", cell, first, fresh, said)
                found = (
                    list(self._alone([cell], first))
                    if stacked and finding.outcome == "failed"
                    else []
                )
                if stacked and not found:
                    found = [judged("stack", cell, True, "")]
                blamed = (
                    found if any(item.outcome == "failed" for item in found) else [*found, finding]
                )
                yield from ((entry, item) for item in blamed)

    def _counted(self, cells: Sequence[Cell]) -> tuple[Records, list[Finding]]:
        """Run cells of one problem at a time, and compare the visits that
        the method counts with what its modules see.
        """
        with modules_seen() as seen:
            records = self.run(cells)
        findings = []
        for cell in cells:
            record = records[cell.spec.cell]
            if record.status != "ok" or not seen.rows:
                findings.append(
                    Finding(
                        rule="counts",
                        subject=cell.spec.label(),
                        outcome="skipped",
                        said="no torch module was called with a gradient",
                    )
                )
                continue
            counted = max(record.counters.get("forward", 0), record.counters.get("backward", 0))
            said = (
                f"run.count says {counted} examples, its modules saw {seen.rows} with a "
                "gradient; count every example that a net learns from"
            )
            findings.append(judged("counts", cell, counted >= 0.99 * seen.rows, said))
        return records, findings

    def _counts(self, cells: Sequence[Cell]) -> list[Finding]:
        """Count the visits of a stacked method in its single form."""
        single = [
            msgspec.structs.replace(cell, spec=msgspec.structs.replace(cell.spec, form="single"))
            for cell in cells
        ]
        _, found = self._counted(single)
        # it may have built artifacts, which are there, and not seen, the second time
        if any(finding.outcome == "failed" for finding in found):
            _, found = self._counted(single)
        return found
