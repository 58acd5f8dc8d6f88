"""On which class of machine the cells of a night stand: the runs of one task, variant and seed are
finished on the class where most of them are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from bench.runs.cell_status import Candidates, CellStatus
from bench.runs.driver import Driver
from bench.runs.keys import Keyed, Keys
from bench.runs.machine_classes import Vote, class_of, elect, environment_of, names_of
from bench.runs.nightly import Part, Unit, unit_of
from bench.runs.plan import Cell, Plan
from bench.runs.record import Record


class NightlyStatus(msgspec.Struct):
    """How the cells of a night stand, each in the class of its task, variant and seed."""

    here: str
    """The class of the machine at hand."""
    names: dict[str, str]
    """Class -> short name."""
    done: list[Record]
    failed: list[Record]
    todo: list[Keyed]
    """What runs on the machine at hand."""
    waiting: dict[str, list[Cell]]
    """Class -> cells that wait for a machine of it, since the others of
    their task, variant and seed stand there.
    """

    @property
    def left(self) -> int:
        """Cells that have no good record, wherever they would run."""
        return len(self.todo) + sum(map(len, self.waiting.values()))

    @property
    def waiting_said(self) -> str:
        """What waits for which class, in words; empty: nothing."""
        return ", ".join(
            f"{len(cells)} for {self.names[name]}"
            for name, cells in sorted(self.waiting.items(), key=lambda item: self.names[item[0]])
        )

    def by_class(self) -> dict[str, int]:
        """Return how many of the recorded runs are of which class, by short name."""
        counts = Counter(self.names[class_of(record.provenance)] for record in self.done)
        return dict(sorted(counts.items()))


def status_by_class(
    driver: Driver, plan: Plan, *, look: bool, anew: bool = False, here: bool = True
) -> NightlyStatus:
    """Hold the cells of a night against the records of all classes.

    The class of a task, variant and seed is the one in which most of its runs are recorded with
    today's code, libraries and data (see :func:`bench.runs.machine_classes.elect`); where none is,
    that of the machine at hand.

    Args:
        driver: of the machine at hand; its keys say which class that is.
        plan: the cells.
        look: load data in a process aside where only a load tells whether it is what a record was
            made of.
        anew: run whole, on the machine at hand, what stands in another class and lacks runs there.
        here: prefer the class at hand where as many runs stand in another; not where a site is
            made, which may be on any machine.
    """
    device = next((cell.spec.device for cell in plan.cells), "cpu")
    source = driver.keys.machine(device)
    own = class_of(source)
    done, todo = driver.split(plan, look)
    cells = {cell.spec.cell: cell for cell in plan.cells}
    known = [record for record in driver.store.briefs() if record.cell in cells]
    sources = {
        class_of(provenance): provenance
        for provenance in {id(record.provenance): record.provenance for record in known}.values()
    } | {own: source}
    held: dict[str, dict[str, CellStatus]] = {
        own: {record.cell: CellStatus(status="recorded", record=record) for record in done}
    }
    held[own] |= {
        record.cell: CellStatus(status="failed", record=record) for record in driver.failed
    }
    runnable = [*(cells[record.cell] for record in done), *(keyed.cell for keyed in todo)]
    for name in sources.keys() - {own}:
        held[name] = _held(driver, sources[name], runnable, known, look)
    units: dict[Unit, list[Cell]] = {}
    for cell in runnable:
        units.setdefault(unit_of(cell.spec), []).append(cell)
    votes = [
        Vote(unit_of(cells[cell].spec), name, True, True, cells[cell].reference in ("low", "high"))
        for name, some in held.items()
        for cell in some
    ]
    elected = elect(votes, dict.fromkeys(units, own) if here else {})
    by_cell = {keyed.cell.spec.cell: keyed for keyed in todo}
    found = NightlyStatus(own, names_of(sources), [], [], [], {})
    for unit, members in units.items():
        machine = elected.get(unit, own)
        lacking = [
            cell
            for cell in members
            if (at := held[machine].get(cell.spec.cell)) is None or at.status != "recorded"
        ]
        machine = own if anew and lacking else machine
        for cell in members:
            at = held[machine].get(cell.spec.cell)
            if at is not None and at.record is not None:
                (found.done if at.status == "recorded" else found.failed).append(at.record)
            if at is not None and at.status == "recorded":
                continue
            if machine == own:
                found.todo.append(by_cell[cell.spec.cell])
            else:
                found.waiting.setdefault(machine, []).append(cell)
    return found


def _held(
    driver: Driver,
    source: Mapping[str, Any],
    cells: Iterable[Cell],
    records: Sequence[Record],
    look: bool,
) -> dict[str, CellStatus]:
    """Return how cells stand in another class: those that have a record of
    it with today's code, libraries and data.
    """
    candidates = Candidates(
        Keys(driver.registry, environment_of(source)), driver.data_status, records
    )
    cells = list(cells)
    if look:
        driver.look(candidates.wanted(cells))
    found = {cell.spec.cell: candidates.of(cell) for cell in cells}
    return {cell: held for cell, held in found.items() if held.status in ("recorded", "failed")}


def shares_said(parts: Iterable[Part]) -> str:
    """Say which share of a night ran on which class of machine; empty: no machine said."""
    told = [part for part in parts if part.machine and part.shard]
    names = names_of({class_of(part.machine): part.machine for part in told})
    shards: dict[str, list[str]] = {}
    for part in told:
        shards.setdefault(names[class_of(part.machine)], []).append(part.shard)
    return "; ".join(
        f"{name}: share{'s' * (len(some) > 1)} {', '.join(some)}"
        for name, some in sorted(shards.items())
    )
