"""``bench results renew``."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import click

from bench.cli._options import (
    emit_json,
    json_option,
    names_option,
    open_registry,
    open_results,
    plugins_option,
    results_option,
    say,
    split_names,
    tracks_completer,
    warn,
)
from bench.cli._renewed import document, in_words, row, said
from bench.errors import NothingSelected, UsageError, near

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.plugins.registry import Registry
    from bench.runs.driver import Driver
    from bench.runs.old_code import Trees
    from bench.runs.proving import Judged
    from bench.runs.record import Brief
    from bench.runs.record_place import Place
    from bench.runs.renewal import Survey
    from bench.runs.renewal_sample import Call

_EVERY = 10.0
"""Seconds between two lines on one call."""


@click.command("renew")
@click.option(
    "--from",
    "since",
    metavar="COMMIT",
    help="The commit of the old code.  [default: the one that each record names]",
)
@click.option("--track", shell_complete=tracks_completer, help="Only this track.")
@names_option("method", help="Only these methods. Repeatable, comma lists, globs.")
@names_option("task", help="Only these tasks. Repeatable, comma lists, globs.")
@click.option("--preset", help="Only this preset.  [default: all]")
@click.option(
    "--jobs",
    type=click.IntRange(1, 4096),
    help="Runs at a time.  [default: one for each core]",
)
@click.option("--dry-run", is_flag=True, help="Say what would be run and renewed; do nothing.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@results_option
@plugins_option
@json_option
def command(
    since: str | None,
    jobs: int | None,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
    results: str | None,
    plugins: tuple[str, ...],
    **filters: Any,
) -> int:
    """Move records that only a change of code made stale to the current keys, after a proof.

    For every method on a task, a sample of runs is executed on this machine, with the current code
    and with the old code, from a temporary git worktree of the commit that the records name. If
    both give the same results bit for bit, all records of the pair, of every class of machine, are
    written again under their new keys, with their original times. If the sample was recorded on
    this class of machine and the new code gives the same results, the old code need not run; with
    --from it runs in any case. Records of other data, libraries or parameters, failed records and
    those of a GPU are left unchanged, and named.

    The exit code is 1 if stale records were not renewed.
    """
    from bench.runs.driver import Driver
    from bench.runs.folders import absolute_paths
    from bench.runs.old_code import Trees
    from bench.runs.provenance import machine
    from bench.runs.renewal import survey

    absolute_paths()
    registry = open_registry(plugins)
    store = open_results(results)
    records = _selected(registry, store.briefs(), filters)
    for damaged in store.damaged:
        warn(f"the record {damaged.path} is not used: {damaged.reason}.")
    driver = Driver(registry, store)
    driver.tell = warn
    began, spent = time.monotonic(), sum(os.times()[2:4])
    found = survey(driver, records, look=not dry_run)
    if not dry_run and found.groups:
        store.open_for_writing()
    rows, places = [], store.places()
    jobs = jobs or int(machine()["cores"] or 1)
    with Trees() as trees:
        for judged in _proved(driver, found, trees, since, jobs, dry_run, quiet, places):
            rows.append(row(driver, judged, dry_run, places))
            if not as_json and not quiet:
                warn(said(rows[-1]))
    found_out = document(
        found, rows, dry_run, time.monotonic() - began, sum(os.times()[2:4]) - spent
    )
    if as_json:
        emit_json(found_out)
    else:
        say(in_words(found_out))
    return 1 if found_out["not_renewed"] else 0


def _selected(registry: Registry, records: Sequence[Brief], filters: dict[str, Any]) -> list[Brief]:
    """Return the records that the filters name.

    Raises:
        UsageError: a name is unknown. NothingSelected: no record fits.
    """
    for name in ("track", "preset"):
        known = {getattr(record, name) for record in records}
        known |= set(registry.tracks()) if name == "track" else set()
        if records and filters[name] is not None and filters[name] not in known:
            raise UsageError(
                f"unknown {name} {filters[name]!r} (from --{name}).{near(filters[name], known)} "
                f"The {name}s here: {', '.join(sorted(known))}."
            )
    wanted = {}
    for kind in ("method", "task"):
        names = split_names(filters[f"{kind}s"])
        wanted[kind] = _named(registry, records, kind, names, filters["track"]) if names else None
    chosen = [
        record
        for record in records
        if filters["track"] in (None, record.track)
        and filters["preset"] in (None, record.preset)
        and (wanted["method"] is None or f"{record.track}/{record.method}" in wanted["method"])
        and (wanted["task"] is None or record.identity in wanted["task"])
    ]
    if not chosen:
        raise NothingSelected("no record fits; nothing was renewed.")
    return chosen


def _named(
    registry: Registry,
    records: Sequence[Brief],
    kind: str,
    names: Sequence[str],
    track: str | None,
) -> set[str]:
    """Return the identities that names stand for: of records first, which know references too."""
    from bench.plugins.registry import fits

    known = {f"{record.track}/{getattr(record, kind)}" for record in records}
    found = set()
    for name in names:
        mine = {identity for identity in known if fits(identity, name)}
        found |= mine or {
            entry.identity for entry in registry.select(kind, name, track, f"--{kind}")
        }
    return found


def _proved(
    driver: Driver,
    found: Survey,
    trees: Trees,
    since: str | None,
    jobs: int,
    dry_run: bool,
    quiet: bool,
    places: dict[str, Place],
) -> Iterator[Judged]:
    """Yield what comes of each group, first of proofs that are known."""
    from bench.runs.proofs import name_of, read_proof, why_withdrawn, withdrawals, write_proof
    from bench.runs.proving import Judged, Recorded, differs_said, prove
    from bench.runs.renewal_sample import calls, commits_of, draw, versions_of

    root, machine = driver.store.root, driver.keys.machine("cpu")
    withdrawn, todo = withdrawals(root), []
    for group in found.groups:
        if why := why_withdrawn([group.change], withdrawn):
            yield Judged(group, None, why)
        elif known := read_proof(root, name_of(group.change, machine)):
            yield Judged(group, known, differs_said(known))
        else:
            todo.append(group)
    popular = commits_of(todo)
    ready = [
        (sample, versions_of(sample.group, driver.registry, trees, since, popular))
        for sample in draw(todo)
    ]
    planned = calls(ready, jobs)
    if dry_run:
        yield from (Judged(sample.group, None, f"would run {sample.label}") for sample, _ in ready)
        return
    progress = _Progress(planned, quiet)
    recorded = Recorded(driver.store, places, machine, instead=since is None)
    for judged in prove(planned, trees.home, recorded, driver.registry.cards(), progress.tell):
        if judged.proof is not None:
            write_proof(root, judged.proof)
        yield judged


class _Progress:
    """Says how far the samples are, a line a call and one now and then."""

    def __init__(self, planned: Sequence[Call], quiet: bool) -> None:
        self._quiet, self._runs = quiet, sum(call.runs for call in planned)
        self._number = {id(call): number for number, call in enumerate(planned, 1)}
        self._last: tuple[int, str, int] = (0, "", 0)
        self._at = 0.0
        if planned and not quiet:
            warn(
                f"{self._runs} runs in {len(planned)} commands prove what can be proved, with new "
                "code and, where no record of this class of machine stands for it, with old code."
            )

    def tell(self, call: Call, code: str, count: int) -> None:
        """Hear of a call that is at work."""
        state = (self._number[id(call)], code, count)
        now = time.monotonic()
        fresh = state[:2] != self._last[:2]
        if self._quiet or state == self._last or not (fresh or now - self._at >= _EVERY):
            return
        self._last, self._at = state, now
        warn(
            f"command {state[0]} of {len(self._number)}, {call.label}: {code} code, {count} of "
            f"{call.runs} runs."
        )
