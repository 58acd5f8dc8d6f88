"""What verbs share: options, completion, output."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from bench.cli._layout import columns, narrow, whole, wrapped
from bench.cli._layout import table as fitted
from bench.cli._progress import Bar
from bench.cli._stdout import printing_aside, printing_back
from bench.errors import UsageError
from bench.params import split_outside
from bench.texts import plain, printable

if TYPE_CHECKING:
    from bench.plugins.registry import Registry
    from bench.runs.store import Store

Command = Callable[..., Any]


def plugins_option(command: Command) -> Command:
    """Add ``--plugins``."""
    return click.option(
        "--plugins",
        multiple=True,
        metavar="PATH",
        help="A Python file, or a folder with rooms methods/, tasks/, datasets/. Repeatable.",
    )(command)


def results_option(command: Command) -> Command:
    """Add ``--results``."""
    return click.option(
        "--results",
        metavar="DIR",
        help="Folder of results.  [env: BENCH_RESULTS; default: ./results]",
    )(command)


def json_option(command: Command) -> Command:
    """Add ``--json``."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        callback=_documented,
        help="Print one JSON document to stdout.",
    )(command)


def _documented(context: click.Context, _: click.Parameter, as_json: bool) -> bool:
    """Keep stdout for the document: what plugins print in this process meanwhile goes to stderr."""
    if as_json and not context.resilient_parsing:
        context.with_resource(printing_aside())
    return as_json


def names_option(kind: str, **settings: Any) -> Callable[[Command], Command]:
    """Add ``--method`` or ``--task``: repeatable, comma lists, globs,
    parameters in brackets, with completion.
    """
    return click.option(
        f"--{kind}",
        f"{kind}s",
        multiple=True,
        metavar="NAME",
        shell_complete=completer(kind),
        **settings,
    )


def completer(*kinds: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Return a completion function for the names of some kinds of plugin."""

    def complete(
        context: click.Context, _: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        registry = open_registry(context.params.get("plugins") or ())
        head, comma, last = incomplete.rpartition(",")
        found = {
            entry.name: entry.card.title
            for kind in kinds
            if kind != "track"
            for entry in registry.rows(kind)
        }
        found |= dict(_titled(registry)) if "track" in kinds else {}
        return [
            CompletionItem(f"{head}{comma}{name}", help=title)
            for name, title in sorted(found.items())
            if name.startswith(last)
        ]

    return complete


def tracks_completer(
    context: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a track."""
    registry = open_registry(context.params.get("plugins") or ())
    return [
        CompletionItem(track, help=title)
        for track, title in _titled(registry)
        if track.startswith(incomplete)
    ]


def _titled(registry: Registry) -> list[tuple[str, str]]:
    """Return the names of all tracks, each with the title on its card."""
    return [
        (track, found[0].card.title if (found := registry.cards_of(track)) else "")
        for track in registry.tracks()
    ]


def open_registry(plugins: Iterable[str] = ()) -> Registry:
    """Find every plugin."""
    from bench.plugins.registry import Registry

    return Registry(plugins)


def results_folder(results: str | None) -> Path:
    """Return the folder of results: the option, else ``BENCH_RESULTS``, else ``./results``."""
    text = results if results is not None else os.environ.get("BENCH_RESULTS") or "results"
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UsageError(
            f"the results folder {text!r} can't be found ({error}); write it without '~'."
        ) from None


def split_names(texts: Iterable[str]) -> tuple[str, ...]:
    """Split comma lists outside brackets: ``'ce,elr[lam=1,beta=.7]'`` names two methods."""
    return tuple(
        part.strip() for text in texts for part in split_outside(text, ",") if part.strip()
    )


def refuse_empty(options: Mapping[str, str | tuple[str, ...] | None]) -> None:
    """Refuse options that were given without a value, like ``--tier ""`` of an unset variable: they
    would count as not given.

    Raises:
        UsageError: one of the values is empty or blank.
    """
    for name, given in options.items():
        texts = (given,) if isinstance(given, str) else given or ()
        if any(not text.strip() for text in texts):
            raise UsageError(f"{name} is empty; give it a value, or leave {name} out.")


def emit_json(document: Any) -> None:
    """Print a document as JSON, with null and never NaN."""
    text = json.dumps(document, indent=1, allow_nan=False)
    if "\\ud" in text:  # half of a pair, perhaps: what UTF-8 can't hold is escaped
        text = json.dumps(plain(document), indent=1, allow_nan=False)
    with printing_back():
        click.echo(text)


def table(rows: list[list[Any]], headers: list[str], style: str = "simple") -> str:
    """Lay out rows for this terminal (whole where stdout is none), or in
    another style of ``tabulate``.
    """
    if style == "simple" and rows:
        if (width := columns()) is not None:
            return fitted(rows, headers, width)
        if all(narrow(str(cell)) for row in rows for cell in row):
            return whole(rows, headers)
    from tabulate import tabulate

    return tabulate(rows, headers=headers, tablefmt=style, disable_numparse=True)


def number(count: int, word: str) -> str:
    """Return how many there are of something: ``1 record``, ``2,000 records``."""
    return f"{count:,} {word}{'s' * (count != 1)}"


def say(text: str) -> None:
    """Print text on stdout as this terminal can show it: no line is wider, unless a name is."""
    click.echo(wrapped(printable(text), columns()))


def echo(text: str) -> None:
    """Print text on stdout, its lines as they are; control characters are written out."""
    click.echo(printable(text))


def warn(message: str) -> None:
    """Say something on stderr, on a line of its own."""
    Bar.aside()
    click.echo(printable(f"bench: {message}"), err=True)


def open_results(results: str | None) -> Store:
    """Return the store of a results folder that is there.

    Raises:
        UsageError: there is none.
    """
    from bench.runs.store import Store

    folder = results_folder(results)
    if not folder.is_dir():
        raise UsageError(f"no results folder at {str(folder)!r}; name it with --results.")
    return Store(folder)
