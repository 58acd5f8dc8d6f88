"""``bench nightly``."""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from bench.cli._board import make_board, publish, stale_ids
from bench.cli._nightly_checks import check_again
from bench.cli._options import (
    emit_json,
    json_option,
    open_registry,
    plugins_option,
    results_folder,
    results_option,
    tracks_completer,
    warn,
)
from bench.cli._running import running_options
from bench.cli._session import Session, where_of
from bench.errors import EnvironmentFault, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.plugins.registry import Registry
    from bench.runs.driver import Driver
    from bench.runs.nightly import Alarm, Night
    from bench.runs.nightly_classes import NightlyStatus
    from bench.runs.plan import Cell, Plan
    from bench.runs.record import Record
    from bench.runs.schedule import Expected
    from bench.runs.store import Store

_PHASES = ("all", "plan", "run", "publish")
_HELP = """Run every method on every task, check what was recorded before, and make the site.

\b
bench nightly --tier smoke --out site
bench nightly --tier nightly --phase plan --shards 8 --json
bench nightly --tier nightly --phase run --shard 3/8
bench nightly --tier nightly --phase publish --out site
"""


@click.command("nightly", help=_HELP)
@click.option(
    "--tier",
    type=click.Choice(("smoke", "nightly", "default", "release")),
    default="smoke",
    show_default=True,
    help="1 seed of the small preset, or 3, 5 or 10 seeds.",
)
@click.option(
    "--phase",
    type=click.Choice(_PHASES),
    default="all",
    show_default=True,
    help="A part of the night alone, so that many machines share it.",
)
@click.option(
    "--shards",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="With --phase plan: into how many shares the cells are split.",
)
@click.option(
    "--shard",
    default="1/1",
    show_default=True,
    metavar="I/N",
    help="With --phase run: this share alone.",
)
@click.option(
    "--night", metavar="DATE", help="The night's date, like 2026-01-31.  [default: today, UTC]"
)
@click.option(
    "--anew",
    is_flag=True,
    help="Run whole, on this machine, what stands on another class of machine and lacks runs; "
    "else these wait for one.",
)
@click.option("--track", shell_complete=tracks_completer, help="Only this track.")
@click.option(
    "--check/--no-check",
    default=True,
    show_default=True,
    help="Run a seventh of the reused cells again and compare bit for bit.",
)
@click.option(
    "--out", default="site", show_default=True, metavar="DIR", help="The folder of the site."
)
@click.option(
    "--page/--no-page",
    default=True,
    show_default=True,
    help="Write index.html too; it needs the extra 'page'.",
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    help="auto (the GPU if there is one), cpu or cuda.",
)
@running_options
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@results_option
@plugins_option
@json_option
def command(phase: str, out: str, page: bool, quiet: bool, as_json: bool, **options: Any) -> int:
    """Plan, run and publish a night."""
    from bench.runs.nightly import TIERS
    from bench.runs.plan import Request, make_plan

    night, shard = _night(options["night"]), _shard(options["shard"])
    if options["shards"] > 1 and phase != "plan":
        raise UsageError(
            f"--shards {options['shards']} is for --phase plan; give --phase run --shard "
            f"1/{options['shards']} to run a share."
        )
    if shard[1] > 1 and phase in ("plan", "publish"):
        raise UsageError(
            f"--shard {options['shard']} is for --phase run; a "
            f"{'plan' if phase == 'plan' else 'site'} is of the whole night, so leave it out."
        )
    session = Session(
        open_registry(options["plugins"]),
        results_folder(options["results"]),
        where_of(options),
        quiet or as_json,
    )
    tier = TIERS[options["tier"]]
    plan = make_plan(
        Request(
            track=options["track"],
            all=True,
            preset=tier.preset,
            seeds=str(tier.seeds),
            device=session.device,
        ),
        session.registry,
    )
    if phase == "plan":
        _show_shards(session.driver, plan, night, options["shards"], options["anew"], as_json)
        return 0
    session.store.open_for_writing()
    if phase in ("all", "run"):
        _run(session, plan, night, shard, options)
    return (
        0
        if phase == "run"
        else _publish(session, plan, night, options["tier"], Path(out), page, as_json)
    )


def _night(text: str | None) -> date:
    try:
        return date.fromisoformat(text) if text is not None else datetime.now(UTC).date()
    except ValueError:
        raise UsageError(f"--night got {text!r}; give a date like 2026-01-31.") from None


def _shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,3})/(\d{1,3})", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f"--shard got {text!r}; give a share and how many there are, like 3/8.")
    return int(found[1]), int(found[2])


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


def _show_shards(
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
        click.echo(_wait(found))
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


def _run(
    session: Session, plan: Plan, night: date, shard: tuple[int, int], options: dict[str, Any]
) -> None:
    """Run a share of the night, check what it reuses, and keep what was done."""
    from bench.runs.classes import class_of
    from bench.runs.nightly import read_part, write_part
    from bench.runs.nightly_classes import status_by_class
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


def _publish(
    session: Session, plan: Plan, night: date, tier: str, out: Path, page: bool, as_json: bool
) -> int:
    """Write the night, its alarms and the site."""
    from bench.cli._nightly_summary import summary
    from bench.runs.nightly import Night, alarms, read_nights, read_parts, rows_of, write_night
    from bench.runs.nightly_classes import status_by_class
    from bench.runs.nightly_merge import complete, from_tonight
    from bench.runs.store_files import put

    registry, store = session.registry, session.store
    driver = session.driver_of(store)
    found = status_by_class(driver, plan, look=False, here=False)
    done, failed, missing = found.done, found.failed, found.left - len(found.failed)
    parts = read_parts(store.root, night.isoformat(), tier)
    tonight = Night(
        night=night.isoformat(),
        tier=tier,
        planned=len(plan.cells),
        recorded=len(done),
        rows=rows_of([*done, *failed], registry.cards()),
        # a year of nights is read for the alarms
        parts=[msgspec.structs.replace(part, keys=[]) for part in parts],
    )
    write_night(store.root, tonight)
    board, said = _site(registry, store, [*done, *failed], tonight, out, page)
    # of a board without a suite two standard errors alone decide
    delta = (board.get("suite") or {}).get("delta", 0.0)
    raised = alarms(read_nights(store.root, tier, night.isoformat()), delta)
    fresh = from_tonight(
        done, parts, complete(store.root, night.isoformat(), tier), night.isoformat()
    )
    text = summary(tonight, fresh, raised, failed, missing, plan.not_run, found.by_class())
    try:
        put(out / "summary.md", text.encode())
    except OSError as error:
        raise EnvironmentFault(
            f"{out / 'summary.md'} can't be written ({error.strerror}); name another folder with "
            "--out."
        ) from None
    red = [alarm.label for alarm in raised if alarm.reference] + [
        f"{record.identity} {record.variant} {record.method}"
        for record in failed
        if record.reference
    ]
    if as_json:
        emit_json(
            {
                **_document(tonight, raised, failed, missing, sorted(set(red))),
                "from_tonight": fresh,
                "classes": found.by_class(),
            }
        )
    else:
        click.echo(text)
        for line in said:
            warn(line)
    return 1 if red else 0


def _site(
    registry: Registry, store: Store, records: Sequence[Record], night: Night, out: Path, page: bool
) -> tuple[dict[str, Any], list[str]]:
    """Make the board of the night's tier, write its files, and return it
    with what there is to say.
    """
    from bench.runs.nightly import TIERS

    scored = TIERS[night.tier].preset == "default"  # smoke is of a preset that no suite scores
    options: dict[str, Any] = {
        "stale": stale_ids(registry, records),
        **({"tier": night.tier} if scored else {}),
    }
    board = store.ask(
        lambda index: make_board(registry, records, {**options, "memo": index.memo}), refresh=False
    )
    if not board.get("tables"):
        out.mkdir(parents=True, exist_ok=True)
        return board, ["no record yet: the site is a summary alone."]
    said = publish(
        registry,
        board,
        records,
        store,
        out,
        {
            "page": page,
            "history": store.root / "nights" / "history.parquet",
            "night": night.night,
            **options,
        },
    )
    return board, said


def _document(
    night: Night,
    raised: Sequence[Alarm],
    failed: Sequence[Record],
    missing: int,
    red: Sequence[str],
) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "night": night.night,
        "tier": night.tier,
        "planned": night.planned,
        "recorded": night.recorded,
        "failed": len(failed),
        "not_run_yet": missing,
        "checked": len(night.checks),
        "nondeterministic": [
            msgspec.to_builtins(check) for check in night.checks if not check.same
        ],
        "alarms": [msgspec.to_builtins(alarm) for alarm in raised],
        "red": list(red),
    }
