"""``bench paper``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from bench.cli._board import leaderboard_rooms
from bench.cli._grouped import not_run_lines
from bench.cli._layout import columns, markdown, wide_option
from bench.cli._options import (
    emit_json,
    json_option,
    names_option,
    open_registry,
    plugins_option,
    refuse_empty,
    results_folder,
    results_option,
    say,
    split_names,
    warn,
)
from bench.cli._papers_list import print_list
from bench.cli._running import running_options
from bench.cli._stdout import printing_back
from bench.errors import EnvironmentFault, NothingSelected, UsageError
from bench.texts import printable

if TYPE_CHECKING:
    from bench.cli._papers import Papers
    from bench.cli._session import Prepared, Session
    from bench.runs.plan import NotRun

_PAGE = "published.md"

_HELP = """Compare published figures with measured ones.

Without NAME, list the tables: what is recorded, what is missing, whether the data is here, what the
rest would cost. With NAME (or a glob, or a .toml file) print a table with a verdict for each row.

\b
bench paper
bench paper dc-fashion
bench paper dc-fashion --run --budget 2h
bench paper --publish
"""


def _names(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a table."""
    registry = open_registry(context.params.get("plugins") or ())
    found = registry.manager.hook.bench_papers(options={}) or []
    return [
        CompletionItem(paper["name"], help=f"{paper['paper']}, {paper['place']}")
        for paper in found
        if paper["name"].startswith(incomplete)
    ]


@click.command("paper", help=_HELP)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=_names)
@names_option("method", help="Only rows of these methods: names, comma lists, globs. Repeatable.")
@click.option(
    "--cell",
    "cells",
    multiple=True,
    metavar="CELL",
    help="Only rows on these cells, task/preset/variant: comma lists, globs. Repeatable.",
)
@click.option("--run", "running", is_flag=True, help="First run what is missing in these tables.")
@click.option(
    "--publish",
    is_flag=True,
    help="Write the page 'Published against measured', of these tables or of all.",
)
@click.option(
    "--out",
    metavar="FILE",
    help=f"With --publish: the page's file.  [default: {_PAGE}]",
)
@click.option(
    "--seeds",
    metavar="N|LIST",
    help="Seeds of a row: a number like 5, or a list like 0-4,7.  [default: the preset's]",
)
@click.option(
    "--budget",
    metavar="TIME",
    help="With --run: run what is expected to fit this time, like 90s, 30m or 2h.",
)
@click.option("--dry-run", is_flag=True, help="With --run: print what would run, and run nothing.")
@click.option(
    "--device",
    default="auto",
    show_default=True,
    help="Of runs: auto (the GPU if there is one), cpu or cuda.",
)
@running_options
@click.option("--quiet", "-q", is_flag=True, help="No progress and, after --run, no table.")
@wide_option
@results_option
@plugins_option
@json_option
def command(
    names: tuple[str, ...],
    running: bool,
    publish: bool,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """List tables, print them, run what they lack, write the page."""
    from bench.cli._session import Session, where_of

    _refuse(names, running, publish, dry_run, options)
    session = Session(
        open_registry(options["plugins"]),
        results_folder(options["results"]),
        where_of(options),
        quiet or as_json,
    )
    papers = _papers(session, names, options)
    problems = papers.problems()
    if running and problems:
        raise UsageError(f"nothing is run: {problems[0]}.")
    code = 0
    not_run: list[NotRun] = []
    if running:
        prepared = _prepared(papers, session, options, dry_run)
        if dry_run:
            _preview(prepared, session, as_json)
            return 0
        code, not_run = _run(papers, session, prepared)
    else:  # runs say it themselves
        _say_unused(session)
    for problem in problems:
        warn(f"{problem.rstrip('.')}.")
    if publish:
        _publish(papers, Path(options["out"] or _PAGE))
    elif not names:
        print_list(papers, as_json)
    elif as_json:
        import msgspec

        emit_json({**papers.document(), "not_run": [msgspec.to_builtins(item) for item in not_run]})
    elif not (quiet and running):
        with printing_back():
            click.echo(markdown(printable(papers.text("md")), columns()))
    for said in not_run_lines(not_run, "runs"):
        warn(said)
    return UsageError.exit_code if problems else code


def _refuse(
    names: tuple[str, ...],
    running: bool,
    publish: bool,
    dry_run: bool,
    options: dict[str, Any],
) -> None:
    """Refuse options that would be ignored."""
    refuse_empty(
        {
            "NAME": names,
            "--method": options["methods"],
            "--cell": options["cells"],
            "--out": options["out"],
            "--seeds": options["seeds"],
        }
    )
    if running and not names:
        raise UsageError(
            "--run needs the name of a table, since all of them are days of work; write 'bench "
            "paper NAME --run', or \"bench paper '*' --run\" for all."
        )
    if not running and (
        idle := [name for name in ("budget",) if options[name]] + ["dry-run"] * dry_run
    ):
        raise UsageError(f"--{idle[0]} is about runs; add --run, or leave --{idle[0]} out.")
    if options["out"] and not publish:
        raise UsageError("--out is the file of the page; add --publish, or leave --out out.")
    if publish and dry_run:
        raise UsageError("--publish writes and --dry-run does not; leave one out.")


def _papers(session: Session, names: tuple[str, ...], options: dict[str, Any]) -> Papers:
    from bench.cli._papers import Papers
    from bench.cli._papers_rows import Rows

    return Papers(
        session.registry,
        session.store,
        session.device,
        split_names(names),
        leaderboard_rooms(options["plugins"]),
        options["seeds"],
        Rows(methods=split_names(options["methods"]), cells=split_names(options["cells"])),
    )


def _say_unused(session: Session) -> None:
    from bench.runs.proofs import withdrawn_said

    for damaged in session.store.damaged:
        warn(f"the record {damaged.path} is not used: {damaged.reason}.")
    for sentence in withdrawn_said(session.store.withdrawn):
        warn(sentence)


def _prepared(papers: Papers, session: Session, options: dict[str, Any], dry_run: bool) -> Prepared:
    """Return the plan of what is missing, each cell once."""
    from bench.cli._session import Choice
    from bench.runs.plan import Plan
    from bench.runs.select import parse_budget

    cells = {cell.spec.cell: cell for part in papers.parts.values() for cell in part.missing}
    lacking = [part.unavailable for part in papers.parts.values() if part.unavailable]
    if not papers.parts:
        raise NothingSelected(
            "none of these tables has a row that the product can run; 'bench paper' lists them."
        )
    if lacking and not cells:
        raise EnvironmentFault(f"nothing of these tables can run here: {lacking[0]}.")
    for reason in dict.fromkeys(lacking):
        warn(f"unavailable: {reason}.")
    budget = None if options["budget"] is None else parse_budget(options["budget"])
    if not dry_run:
        session.store.open_for_writing()
    plan = Plan(list(cells.values()), [])
    return session.held(plan, Choice(budget=budget), dry_run, options["seeds"])


def _preview(prepared: Prepared, session: Session, as_json: bool) -> None:
    from bench.cli._preview import document, text

    if as_json:
        emit_json(document(prepared, session.limits))
    else:
        say(text(prepared, session.limits))


def _run(papers: Papers, session: Session, prepared: Prepared) -> tuple[int, list[NotRun]]:
    """Run what is missing, and return the exit code and what was not run."""
    records, not_run = session.finish(prepared)
    papers.look()
    if any(record.status != "ok" for record in records):
        return 1, not_run
    return (EnvironmentFault.exit_code if session.driver.not_run else 0), not_run


def _publish(papers: Papers, path: Path) -> None:
    from bench.files import put

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        put(path, f"{papers.text('page')}\n".encode())
    except OSError as error:
        raise EnvironmentFault(
            f"the page can't be written to {str(path)!r} ({error.strerror}); name another file "
            "with --out."
        ) from None
    warn(f"wrote {path}.")
