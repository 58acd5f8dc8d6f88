"""``bench show``."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Any

import click
import msgspec

from bench.cli._cards import card_text, track_document, track_text
from bench.cli._layout import wide_option
from bench.cli._options import (
    completer,
    echo,
    emit_json,
    json_option,
    open_registry,
    plugins_option,
    results_folder,
    results_option,
    say,
)
from bench.cli._record import Shown, is_record
from bench.cli._settings import settings_of
from bench.errors import NothingSelected, UsageError, near
from bench.params import describe_type
from bench.plugins.entries import Entry
from bench.plugins.registry import Registry


@click.command("show")
@click.argument("name", shell_complete=completer("method", "task", "dataset", "track"))
@click.option("--bibtex", is_flag=True, help="Print the BibTeX entry of its paper.")
@click.option(
    "--image",
    "images",
    multiple=True,
    metavar="[NAME=]FILE",
    help="Write a picture of the record into FILE. Repeatable.",
)
@click.option(
    "--save",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write data of the record that can be used elsewhere, such as a condensed set, into DIR.",
)
@wide_option
@results_option
@plugins_option
@json_option
def command(
    name: str,
    bibtex: bool,
    images: tuple[str, ...],
    save: Path | None,
    results: str | None,
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show a card or a record.

    NAME is a method, task or dataset (track/name if several tracks have it), a track, or a
    record: its id, the beginning of one, or its file.
    """
    if is_record(name):
        if bibtex:
            raise UsageError(
                f"{name!r} is a record, and --bibtex is for the cards of methods, tasks and data "
                "sets; name one of those."
            )
        shown = Shown(name, results_folder(results))
        if images:
            shown.write_pictures(images)
        if save:
            shown.save(save)
        if images or save:
            return
        if as_json:
            emit_json(shown.document())
        else:
            say(shown.text(open_registry(plugins)))
        return
    if images or save:
        raise UsageError(
            f"--{'image' if images else 'save'} needs a record, and {name!r} is no record's id or "
            "file; 'bench leaderboard --json' lists the ids."
        )
    registry = open_registry(plugins)
    entries, tracks = _find(registry, name)
    if bibtex:
        found = [
            getattr(entry.card, "bibtex", "")
            for entry in entries
            if getattr(entry.card, "bibtex", "")
        ]
        if not found:
            raise NothingSelected(
                f"{name!r} names no BibTeX entry on its card; 'bench show {name}' shows what it "
                "says of its source."
            )
        echo("\n\n".join(dict.fromkeys(found)))
    elif as_json:
        emit_json(
            {
                "schema_version": 1,
                "found": [
                    *map(_document, entries),
                    *(track_document(track, registry) for track in tracks),
                ],
            }
        )
    else:
        say(
            "\n\n".join(
                [
                    *map(card_text, _plugins(entries)),
                    *(track_text(track, registry) for track in tracks),
                ]
            )
        )


def _find(registry: Registry, name: str) -> tuple[list[Entry], list[str]]:
    """Return the plugins and the tracks of a name."""
    found: list[Entry] = []
    tracks = [track for track in registry.tracks() if fnmatch.fnmatchcase(track, name)]
    for kind in ("method", "task", "dataset"):
        try:
            found += registry.select(kind, name)
        except UsageError:
            continue
    if not found and not tracks:
        known = {
            entry.name for kind in ("method", "task", "dataset") for entry in registry.rows(kind)
        } | set(registry.tracks())
        raise UsageError(
            f"unknown name {name!r}.{near(name, known)} Run 'bench list' for all {len(known)}."
        )
    return found, tracks


def _document(entry: Entry) -> dict[str, Any]:
    params = {
        name: {
            "type": describe_type(param.type),
            "default": None if param.default is msgspec.UNSET else param.default,
            "doc": param.doc,
        }
        for name, param in entry.params.items()
    }
    return {
        "kind": entry.kind,
        "identity": entry.identity,
        "source": entry.source,
        "card": msgspec.to_builtins(entry.card),
        "params": params,
        "settings": settings_of(entry),
    }


def _plugins(entries: list[Entry]) -> list[list[Entry]]:
    """Group entries that are one plugin in several tracks."""
    groups: dict[tuple[str, str, bytes], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.kind, entry.source, msgspec.json.encode(entry.card)), []).append(
            entry
        )
    return list(groups.values())
