"""``bench compare``."""

from __future__ import annotations

import click

from bench.cli._board import render, stale_ids, with_folders
from bench.cli._layout import columns, markdown, wide_option
from bench.cli._options import (
    completer,
    json_option,
    names_option,
    open_registry,
    plugins_option,
    refuse_empty,
    results_folder,
    results_option,
    split_names,
    tracks_completer,
    warn,
)
from bench.cli._stdout import printing_back
from bench.errors import NothingSelected, PluginError, UsageError
from bench.params import split_call
from bench.texts import printable


@click.command("compare")
@click.argument("a", shell_complete=completer("method"))
@click.argument("b", shell_complete=completer("method"))
@names_option("task", help="Only these tasks. Repeatable, comma lists, globs.")
@click.option("--track", shell_complete=tracks_completer, help="Only this track.")
@click.option("--preset", help="Only this preset.")
@click.option(
    "--format",
    "style",
    type=click.Choice(("md", "json", "csv")),
    default="md",
    show_default=True,
    help="What to print.",
)
@wide_option
@results_option
@plugins_option
@json_option
def command(
    a: str,
    b: str,
    tasks: tuple[str, ...],
    track: str | None,
    preset: str | None,
    style: str,
    results: str | None,
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Compare methods A and B: print the mean paired difference over seeds with its t interval, for
    every variant that both have run.
    """
    from bench.runs.proofs import withdrawn_said
    from bench.runs.record_reader import collector_paused
    from bench.runs.store import Store

    refuse_empty({"--task": tasks, "--track": track, "--preset": preset})
    click.get_current_context().with_resource(collector_paused())
    registry = open_registry(plugins)
    store = Store(results_folder(results))
    records = store.briefs()
    for damaged in store.damaged:
        warn(f"the record {damaged.path} is not used: {damaged.reason}.")
    for sentence in withdrawn_said(store.withdrawn):
        warn(sentence)
    recorded = {name for record in records for name in record.method_names}
    for text in (a, b):
        name = text.partition("[")[0].strip()
        if name not in recorded:
            registry.select("method", name, track)
            raise NothingSelected(
                f"no record of {text!r} in {str(store.root)!r}; run 'bench run --method {name} "
                "--task ...' first."
            )
    if _one_method(a, b):
        raise UsageError(
            f"{a!r} is compared with itself; name two methods."
            if a == b
            else f"{a!r} and {b!r} are one method; name two."
        )
    options = {
        "track": track,
        "preset": preset,
        "stale": stale_ids(registry, records),
        "tasks": [
            entry.identity
            for name in split_names(tasks)
            for entry in registry.select("task", name, track, "--task")
        ],
    }
    found = registry.manager.hook.bench_compare(
        records=records,
        tasks=registry.cards(),
        a=a,
        b=b,
        options={name: value for name, value in options.items() if value},
    )
    if found is None:
        raise PluginError(
            "no plugin compares methods; the built-in one is missing from this installation. "
            "Install datacentric-bench again."
        )
    found = with_folders(found, results, plugins)
    if not found["rows"]:
        raise NothingSelected(
            (
                f"{a} and {b} have no variant with a common seed in {str(store.root)!r}. "
                f"{' '.join(found['notes'])}"
            ).rstrip()
        )
    text = render(registry, found, "json" if as_json else style)
    with printing_back():
        click.echo(text if as_json or style != "md" else markdown(printable(text), columns()))


def _one_method(a: str, b: str) -> bool:
    """Say whether two calls name one method at the same parameters, with or without its track."""
    (one, given), (other, others) = split_call(a), split_call(b)
    (track, _, name), (beside, _, twin) = one.rpartition("/"), other.rpartition("/")
    return (name, given) == (twin, others) and ("" in (track, beside) or track == beside)
