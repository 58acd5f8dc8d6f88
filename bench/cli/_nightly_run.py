"""Running a machine's share of a night."""

from __future__ import annotations

import time
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from bench.cli._nightly_checks import check_again
from bench.cli._options import (
    echo,
    emit_json,
    warn,
)
from bench.cli._session import Session

if TYPE_CHECKING:
    from bench.runs.driver import Driver
    from bench.runs.nightly_classes import NightlyStatus
    from bench.runs.plan import Cell, Plan
    from bench.runs.schedule import Expected


def _shares(
    driver: Driver, plan: Plan, night: date, count: int
) -> tuple[list[list[Cell]], Expected]:
    """Split a night's cells.

    The shares depend on earlier nights alone: every machine finds the same ones, also when it
    starts again.
    """
    from bench.runs.nightly import shards
    from bench.runs.schedule import Expected

    expected = Expected(
        record for record in driver.store.briefs() if record.started[:10] < night.isoformat()
    )
    return shards(plan.cells, expected.of, count), expected


def show_shards(
    driver: Driver, plan: Plan, night: date, count: int, anew: bool, as_json: bool
) -> None:
    from bench.runs.nightly_classes import status_by_class

    found = status_by_class(driver, plan, look=False, anew=anew)
    todo, wanted = found.todo, {keyed.cell.spec.cell for keyed in found.todo}
    shares, expected = _shares(driver, plan, night, count)
    rows = []
    for number, cells in enumerate(shares, 1):
        mine = [cell for cell in cells if cell.spec.cell in wanted]
        rows.append(
            {
                "shard": f"{number}/{count}",
                "runs": len(cells),
                "to_run": len(mine),
                "expected_s": round(sum(map(expected.of, mine)), 1),
            }
        )
    if as_json:
        waiting = {found.names[name]: len(cells) for name, cells in found.waiting.items()}
        emit_json(
            {
                "schema_version": 1,
                "planned": len(plan.cells),
                "to_run": len(todo),
                "class": found.names[found.here],
                "waiting": waiting,
                "shards": rows,
            }
        )
        return
    click.echo(
        f"{len(plan.cells)} runs, {len(todo)} of them to do on a machine of this one's class, "
        f"{found.names[found.here]}."
    )
    if found.waiting:
        echo(_wait(found))
    for row in rows:
        click.echo(
            f"{row['shard']}: {row['runs']} runs, {row['to_run']} to do, about "
            f"{row['expected_s']} s one after another"
        )


def _wait(found: NightlyStatus) -> str:
    """Say what waits for a machine of another class, and why."""
    return (
        f"Runs that wait for a machine of another class: {found.waiting_said}. The other runs of "
        "their tasks, variants and seeds stand there; --anew runs these whole on this one."
    )


def run_share(
    session: Session, plan: Plan, night: date, shard: tuple[int, int], options: dict[str, Any]
) -> None:
    """Run a share of the night, check what it reuses, and keep what was done."""
    from bench.runs.machine_classes import class_of
    from bench.runs.nightly_classes import status_by_class
    from bench.runs.nightly_files import read_part, write_part
    from bench.runs.plan import Plan

    began, driver = time.monotonic(), session.driver
    mine = _shares(driver, plan, night, shard[1])[0][shard[0] - 1]
    said = len(driver.notes)
    found = status_by_class(driver, Plan(mine, []), look=True, anew=options["anew"])
    for note in [*driver.notes[said:], *([_wait(found)] if found.waiting else [])]:
        warn(note)
    ran = session.run(driver, found.todo, len(found.done))
    # another class gives other bits
    checkable = [record for record in found.done if class_of(record.provenance) == found.here]
    # the night may have been cut off: what it did counts
    part = read_part(driver.store.root, night.isoformat(), options["tier"], shard)
    if options["check"]:
        part.checks += check_again(session, mine, checkable, night, options["tier"], part.checks)
    part.ran += len(ran)
    part.keys = sorted({*part.keys, *(record.key for record in ran)})
    part.seconds = round(part.seconds + time.monotonic() - began, 1)
    part.not_run = driver.not_run
    part.shard, part.machine = f"{shard[0]}/{shard[1]}", driver.keys.machine(session.device)
    write_part(driver.store.root, night.isoformat(), options["tier"], shard, part)
