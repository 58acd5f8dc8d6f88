"""``bench results``."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli import _renew, _results_check, _results_export
from bench.cli._adding import add_records
from bench.cli._options import (
    echo,
    emit_json,
    json_option,
    open_registry,
    open_results,
    plugins_option,
    results_folder,
    results_option,
    warn,
)
from bench.errors import EnvironmentFault, UsageError


@click.group("results", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Export, import and merge records, find wrong ones, and clean up."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


_renumber = click.option(
    "--renumber",
    is_flag=True,
    hidden=True,
    expose_value=False,
    help="What is done anyhow; kept for scripts of earlier versions.",
)
_dry_run = click.option("--dry-run", is_flag=True, help="Say what would happen; write nothing.")


@command.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@_renumber
@_dry_run
@results_option
@plugins_option
def import_(
    files: tuple[str, ...], dry_run: bool, results: str | None, plugins: tuple[str, ...]
) -> None:
    """Add the records of exports (.jsonl, .parquet) and single records (.json) to the results
    folder, all or none.

    A record that is in the folder already is not added again. A record whose id is taken by another
    record gets the next free attempt.
    """
    from bench.runs.store import Store
    from bench.runs.transfer import from_files

    add_records(
        Store(results_folder(results)),
        lambda: from_files(Path(file) for file in files),
        dry_run,
        plugins,
    )


@command.command("merge")
@click.argument("folders", nargs=-1, required=True, metavar="DIR...")
@_renumber
@_dry_run
@results_option
@plugins_option
def merge_(
    folders: tuple[str, ...], dry_run: bool, results: str | None, plugins: tuple[str, ...]
) -> None:
    """Add the records of other results folders, with their arrays and pictures, to this one, and
    their reports of nights.

    A record that is in the folder already is not added again. A record whose id is taken by another
    record gets the next free attempt. If two records of one key have different figures, both are
    kept, and the command names them; it ignores figures that are measured times. Records of another
    kind of machine have other keys.
    """
    from bench.runs.nightly_merge import carry
    from bench.runs.store import Store
    from bench.runs.transfer import from_store

    for folder in folders:
        if not Path(folder).is_dir():
            raise UsageError(f"no results folder at {folder!r}; name folders that hold records.")
    store, sources = Store(results_folder(results)), [Store(Path(folder)) for folder in folders]
    add_records(
        store, lambda: (item for source in sources for item in from_store(source)), dry_run, plugins
    )
    for source in sources:
        for damaged in source.damaged:
            warn(f"the record {damaged.path} is left out: {damaged.reason}.")
    for source in sources:
        for sentence in carry(source.root, store.root, dry_run):
            warn(sentence)


@command.command("doctor")
@click.argument("folder", required=False, metavar="[DIR]")
@click.option(
    "--data/--no-data",
    default=True,
    show_default=True,
    help="Prepare tasks whose data is here, to know the shares of their classes.",
)
@click.option(
    "--stale/--no-stale",
    default=True,
    show_default=True,
    help="Compare keys with the code, libraries and data installed here.",
)
@results_option
@plugins_option
@json_option
def doctor(
    folder: str | None,
    data: bool,
    stale: bool,
    results: str | None,
    plugins: tuple[str, ...],
    as_json: bool,
) -> int:
    """Say which records of a folder are wrong or can't be trusted, why, and what to do.

    DIR is a results folder, like --results. The command changes nothing.

    The exit code is 1 if there is such a record.
    """
    import sys

    from bench.cli._results_doctor import examined, in_words

    if folder is not None and results is not None:
        raise UsageError(
            f"results doctor got two folders, {folder!r} and {results!r} (from --results); give "
            "one."
        )
    store = open_results(folder if folder is not None else results)

    def say(text: str) -> None:
        if not as_json and sys.stderr.isatty():
            warn(f"{text} ...")

    document = examined(store, open_registry(plugins), data, stale, say)
    if as_json:
        emit_json(document)
    else:
        echo(in_words(document, str(store.root)))
    return 1 if document["findings"] else 0


@command.command("gc")
@_dry_run
@results_option
@json_option
def gc(dry_run: bool, results: str | None, as_json: bool) -> None:
    """Remove attempts that a later one replaced, files that belong to no record, and temporary
    files of killed writers.

    The command never removes an ok record, the last attempt of a key, or a record that can't be
    read. It lists everything that it removes; --dry-run only lists.
    """
    import msgspec

    from bench.runs.cleanup import removable, remove_all

    store = open_results(results)
    found = removable(store)
    left = [] if dry_run else remove_all(store, found)
    size = sum(item.bytes for item in found)
    if as_json:
        emit_json(
            {
                "schema_version": 1,
                "removed": not dry_run,
                "found": [msgspec.to_builtins(item) for item in found],
                "bytes": size,
                "left": [msgspec.to_builtins(item) for item in left],
            }
        )
    else:
        for item in found:
            click.echo(f"{item.path if item.path.isprintable() else ascii(item.path)}: {item.why}")
        click.echo(
            f"{'would remove' if dry_run else 'removed'} {len(found) - len(left)} things, "
            f"{size / 2**20:.1f} MiB."
        )
    if left:
        raise EnvironmentFault(
            f"{len(left)} of them could not be removed, {left[0].path} first; look at its "
            "permissions."
        )


command.add_command(_results_export.command)
command.add_command(_renew.command)
command.add_command(_results_check.command)
