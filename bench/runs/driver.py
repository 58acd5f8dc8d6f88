"""Driving a plan: skip what is there, run what is missing, write a record for each."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.digests import digest
from bench.executors import Ended, Executor, Origin
from bench.executors.connection import PINNED
from bench.files import saying
from bench.plugins.cache_folder import cache_folder
from bench.plugins.registry import Registry, method_card, task_card
from bench.runs.artifacts import Artifacts
from bench.runs.batches import batches
from bench.runs.cell_locks import CellLocks
from bench.runs.cell_status import Candidates
from bench.runs.count_choice import to_count
from bench.runs.data_process import loader
from bench.runs.data_status import DataStatus
from bench.runs.driver_session import DriverSession
from bench.runs.folders import absolute_paths
from bench.runs.keys import Keyed, Keys
from bench.runs.limits import Limits
from bench.runs.make_record import code_state, parts_that_differ, record_of
from bench.runs.plan import Cell, NotRun, Plan
from bench.runs.record import Record, RecordError
from bench.runs.rerun import Again, kept
from bench.runs.result import Result, dead
from bench.runs.schedule import Expected, Waiting, longest_first
from bench.runs.spec import Job, run_key
from bench.runs.store import Store
from bench.texts import readable


class Driver:
    """Runs the missing cells of a plan on an executor and keeps a record of each."""

    def __init__(
        self,
        registry: Registry,
        store: Store,
        limits: Limits | None = None,
        keys: Keys | None = None,
        flops: bool = False,
        again: Again | None = None,
    ) -> None:
        """Drive cells into ``store``, and with ``flops`` have their
        operations counted (see :mod:`bench.runs.count_choice`).
        """
        self.registry, self.store, self.limits = registry, store, limits or Limits()
        self._flops, self._to_count = flops, set[str]()
        self.keys, self.again = keys or Keys(registry), again or Again()
        self.data_status = DataStatus(self.keys)
        self.expected = Expected()
        self._began = time.time() - 0.01  # a file's time may lag a clock tick behind
        self.statuses: dict[str, str] = {}
        """Key -> why a cell would run (see :mod:`bench.runs.select`), after :meth:`split`."""
        self.not_run: list[NotRun] = []
        self.failed: list[Record] = []
        """The records of cells that failed with today's code, libraries
        and data, after :meth:`split`.
        """
        self.not_looked: dict[str, list[str]] = {}
        """Cell -> calls of its record's data that nobody looked at since, after :meth:`split`."""
        self.tell: Callable[[str], None] = self._note
        """Told at once what takes a while; kept among the notes unless somebody listens."""
        self.notes: list[str] = []
        """What the user should know: of data that changed, of machines
        that are not what the keys were made for.
        """

    def split(
        self, plan: Plan, look: bool = True, flops: bool = True
    ) -> tuple[list[Record], list[Keyed]]:
        """Return the records that the plan's cells already have, and the cells that have no ``ok``
        record of today's code, libraries and data.

        Args:
            plan: the cells.
            look: load data in a process aside where only a load tells whether it is what a record
                was made of. Where it may not be loaded, such a record counts, and
                :attr:`not_looked` says so.
            flops: whether the operations of the cells to run are counted, where the driver counts
                at all.
        """
        records = self.store.briefs()
        self.expected = Expected(records)
        found = Candidates(self.keys, self.data_status, records)
        if look:
            self.look(found.wanted(plan.cells))
        done: list[Record] = []
        todo = []
        for cell in plan.cells:
            held = found.of(cell)
            if held.status == "recorded" and held.record is not None:
                done.append(held.record)
                self.not_looked |= {cell.spec.cell: held.unknown} if held.unknown else {}
            elif held.status == "unavailable":
                self.not_run.append(
                    NotRun(
                        track=cell.spec.track,
                        method=cell.spec.method,
                        task=cell.spec.task,
                        status="unavailable",
                        reason=held.reason,
                    )
                )
            else:
                keyed = self.keys.of(cell)
                self.statuses[keyed.key] = held.status
                self.failed += (
                    [held.record] if held.status == "failed" and held.record is not None else []
                )
                todo.append(keyed)
        self._to_count = (
            to_count((keyed.cell for keyed in todo), done) if self._flops and flops else set()
        )
        self.notes += found.changes
        self.registry.index.save()
        return done, todo

    def look(self, wanted: Iterable[tuple[Cell, str]], fetch: bool = True) -> None:
        """Load what is not known of the data of cells, each call once, in a process aside; without
        ``fetch`` nothing is fetched, whatever ``BENCH_HUB`` says.
        """
        variables = {**os.environ, **PINNED, **({} if fetch else {"BENCH_HUB": "0"})}
        self.data_status.look(
            wanted,
            loader(lambda cell: self._job([self.keys.of(cell)]), variables, self.tell),
        )

    def run(
        self,
        todo: Sequence[Keyed],
        executor: Executor,
        parallel: int,
        notice: Callable[[str, float], None],
    ) -> Iterator[tuple[Keyed, Record | None]]:
        """Run cells and yield each with its record as it ends; None where the data turned out not
        to be there.

        What another driver on the same folder runs meanwhile is not run again: its record is
        yielded.
        """
        if not todo:
            return
        absolute_paths()  # attempts work in folders of their own
        Artifacts(cache_folder()).sweep()
        by_cell = {keyed.cell.spec.cell: keyed for keyed in todo}
        with self._locks() as locks:
            session = DriverSession(self.store.root, locks, self._began, self.keys)
            waiting = Waiting(self.expected)
            session.sweep()
            try:
                for ended in executor.run(
                    session.jobs(self._groups(todo, session, parallel), self._job, waiting.sorted),
                    notice,
                ):
                    for position, spec in enumerate(ended.job.specs):
                        keyed = by_cell[spec.cell]
                        record = self._keep(keyed, ended, position, executor.enforces_limits)
                        locks.release(keyed.key)
                        if record is not None:
                            waiting.learn(record)
                        yield keyed, record
                    session.close(ended.job, interrupted=ended.status == "interrupted")
                    yield from session.recorded_elsewhere()
                yield from session.recorded_elsewhere()
            finally:
                session.sweep()

    def _locks(self) -> CellLocks:
        with saying(self.store.root, "name another folder with --results"):
            return CellLocks(self.store.root)

    def _groups(
        self, todo: Sequence[Keyed], session: DriverSession, parallel: int
    ) -> list[Sequence[Keyed]]:
        """Return the jobs' cells, the longest job first."""
        groups = session.resumable(todo)
        taken = {keyed.key for group in groups for keyed in group}
        rest = {keyed.cell.spec.cell: keyed for keyed in todo if keyed.key not in taken}
        groups += [
            [rest[cell.spec.cell] for cell in part]
            for part in batches([keyed.cell for keyed in rest.values()], parallel)
        ]
        return longest_first(groups, lambda keyed: self.expected.priority(keyed.cell))

    def _job(self, group: Sequence[Keyed]) -> Job:
        first = group[0].cell
        card = task_card(first.task)
        # a checkpoint of other code or libraries is not gone on from
        identity = digest([keyed.key for keyed in group])
        return Job(
            id=identity,
            specs=[keyed.cell.spec for keyed in group],
            method=first.method.target if first.method else None,
            task=first.task.target,
            reference=first.solve,
            datasets={name: self.registry.get("dataset", name).target for name in card.datasets},
            needs=method_card(first.method).needs if first.method else (),
            offers=tuple(card.offers),
            count=tuple(
                keyed.cell.spec.seed for keyed in group if keyed.cell.spec.cell in self._to_count
            ),
            versions=group[0].ingredients["environment"]["versions"],
            cache=str(cache_folder()),
            workdir=str((self.store.root / "work" / identity).resolve()),
            limits=self.limits
            if self.limits.wall is not None
            else msgspec.structs.replace(self.limits, wall=first.timeout),
        )

    def _keep(self, keyed: Keyed, ended: Ended, position: int, confined: bool) -> Record | None:
        spec = keyed.cell.spec
        result = (
            ended.results[position]
            if ended.results
            else dead(ended.status, ended.message, ended.seconds)
        )
        if result.status == "unavailable":
            self.not_run.append(
                NotRun(
                    track=spec.track,
                    method=spec.method,
                    task=spec.task,
                    status="unavailable",
                    reason=(result.error or {}).get("message", ""),
                )
            )
            return None
        try:
            return self._write(keyed, result, ended, confined)
        except RecordError as error:  # what came over the pipe is no result that a worker makes
            said = {"type": "RecordError", "message": f"its result can't be recorded: {error}"}
            nothing = dead("invalid", "", ended.seconds)
            return self._write(keyed, msgspec.structs.replace(nothing, error=said), ended, confined)

    def _write(self, keyed: Keyed, result: Result, ended: Ended, confined: bool) -> Record:
        if result.data is None and ended.results is None:  # it died, and its data was told before
            result = msgspec.structs.replace(result, data=ended.data.get(keyed.cell.spec.cell))
        ran = self._where(keyed, result.data, ended.origin)
        machine = ended.origin.machine if ended.origin else None
        record = record_of(
            ran, result, ended.log, machine, kept(keyed.cell, self.registry, self.again)
        )
        if ran.ingredients["files"] == keyed.ingredients["files"]:
            record.provenance |= code_state(keyed.cell)
        if confined:
            record.provenance["limits"] = {
                name: value
                for name, value in msgspec.to_builtins(ended.job.limits).items()
                if value is not None
            }
        record = readable(record)
        self.store.write(record, Path(result.files) if result.files else None)
        return record

    def _where(self, keyed: Keyed, data: dict[str, str] | None, origin: Origin | None) -> Keyed:
        """Return the cell with the key of what was loaded, on the machine that ran it: one of other
        code or another environment makes a key of its own.
        """
        for call, fingerprint in (data or {}).items():
            if (self.data_status.state(keyed.cell, call).fingerprint or fingerprint) != fingerprint:
                self._note(
                    f"the data of {call} is not the same in all that this command looked at: it "
                    "changed meanwhile, differs between machines, or is drawn anew "
                    "at each load; every record has the key of what its run loaded."
                )
        if origin is None:
            return self.keys.of(keyed.cell, data)
        found: dict[str, Any] = {
            "files": origin.files,
            "environment": origin.environment,
            "data": data,
        }
        differing = parts_that_differ(found, keyed.ingredients)
        if not differing:
            return self.keys.of(keyed.cell, data)
        more = f" and {len(differing) - 1} more" if len(differing) > 1 else ""
        self._note(
            f"a machine differs from the one that keys are made for in {differing[0]}{more}: its "
            "records have keys of their own, so the same command runs these cells again; make the "
            "machines alike, or start bench on one of that kind."
        )
        return Keyed(
            keyed.cell,
            run_key(keyed.cell.spec, sorted(set(origin.files.values())), origin.environment, data),
            found,
        )

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
