"""``bench nightly``."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from bench.cli._nightly_publish import publish_night
from bench.cli._nightly_run import run_share, show_shards
from bench.cli._options import (
    json_option,
    open_registry,
    plugins_option,
    results_folder,
    results_option,
    tracks_completer,
)
from bench.cli._running import running_options
from bench.cli._session import Session, where_of
from bench.errors import UsageError

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
    help="Run one phase only, so that several machines can share the work.",
)
@click.option(
    "--shards",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="With --phase plan: the number of shares that the cells are split into.",
)
@click.option(
    "--shard",
    default="1/1",
    show_default=True,
    metavar="I/N",
    help="With --phase run: only this share.",
)
@click.option(
    "--night", metavar="DATE", help="The night's date, like 2026-01-31.  [default: today, UTC]"
)
@click.option(
    "--anew",
    is_flag=True,
    help="Rerun on this machine all incomplete rows of other classes of machine; else they wait "
    "for such a machine.",
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
    help="Write the page too; it needs the extra 'page'.",
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
        show_shards(session.driver, plan, night, options["shards"], options["anew"], as_json)
        return 0
    session.store.open_for_writing()
    if phase in ("all", "run"):
        run_share(session, plan, night, shard, options)
    return (
        0
        if phase == "run"
        else publish_night(session, plan, night, options["tier"], Path(out), page, as_json)
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
