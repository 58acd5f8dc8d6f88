"""``bench show``."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Any

import click
import msgspec

from bench.cards import TEST_SETS, MethodCard, TaskCard
from bench.cli._layout import wide_option
from bench.cli._options import (
    completer,
    emit_json,
    json_option,
    open_registry,
    plugins_option,
    results_folder,
    results_option,
    say,
    table,
)
from bench.cli._record import Shown, is_record
from bench.errors import NothingSelected, UsageError, near
from bench.params import describe_type, render_value
from bench.plugins.index import Entry
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
    help="Write what the record holds to take away, such as a condensed set, into DIR.",
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

    NAME is a method, task or data set (track/name where several tracks have it), a track, or a
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
        click.echo("\n\n".join(dict.fromkeys(found)))
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
    }


def track_document(track: str, registry: Registry) -> dict[str, Any]:
    """Return what is known of a track as plain data; ``card`` is None
    where no plugin brings one.
    """
    card = registry.track_card(track)
    source = registry.cards_of(track)[0].source if card else ""
    members = {
        f"{kind}s": [entry.name for entry in registry.rows(kind) if entry.track == track]
        for kind in ("method", "task")
    }
    return {
        "kind": "track",
        "identity": track,
        "source": source,
        "card": msgspec.to_builtins(card),
        **members,
    }


def track_text(track: str, registry: Registry) -> str:
    """Return what is known of a track as text."""
    found = track_document(track, registry)
    card = found["card"] or {"title": "No plugin brings a card of this track."}
    facts = {name: card.get(name, "") for name in ("about", "field", "ranked")} | {
        "source": found["source"]
    }
    facts |= {name: ", ".join(found[name]) for name in ("methods", "tasks")}
    return "\n".join([f"track {track}", card["title"], "", *_facts(facts)])


def _facts(facts: dict[str, str]) -> list[str]:
    return [f"{name + ':':<18} {value}" for name, value in facts.items() if value]


def _plugins(entries: list[Entry]) -> list[list[Entry]]:
    """Group entries that are one plugin in several tracks."""
    groups: dict[tuple[str, str, bytes], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.kind, entry.source, msgspec.json.encode(entry.card)), []).append(
            entry
        )
    return list(groups.values())


def _pins(pinned: str | dict[str, str]) -> dict[str, str]:
    """Return the pins of a data set's card as facts, one for each set of parameters."""
    pins = {"": pinned} if isinstance(pinned, str) else pinned
    return {f"fingerprint {params}".strip(): text for params, text in pins.items()}


def origin(card: MethodCard) -> str:
    """Say where a method's defaults come from, and how many settings were tried to choose them; an
    empty string where the card does not.
    """
    if card.defaults_from != "here":
        return card.defaults_from and "the paper or its authors' code"
    tried = (
        "how many settings were tried was not counted"
        if card.trials is None
        else f"{card.trials or 'no'} setting{'s' * (card.trials != 1)} tried"
    )
    return f"chosen here, {tried}"


def card_text(group: list[Entry]) -> str:
    """Return the card of a plugin, listed once for each of its tracks, as text."""
    entry, card = group[0], group[0].card
    lines = [f"{entry.kind} {', '.join(other.identity for other in group)}", card.title, ""]
    facts: dict[str, str] = {
        "source": entry.source,
        "licence": card.licence,
        "libraries": ", ".join(card.libraries),
    }
    if isinstance(card, MethodCard):
        facts |= {
            "paper": card.paper,
            "claim": card.claim,
            "official code": card.official_code,
            "deviates": card.deviates,
            "signal": card.signal,
            "needs": ", ".join(card.needs),
            "plain baseline": "yes" if card.plain else "",
            "seeds in one pass": "yes" if card.stacked else "no",
            "defaults from": origin(card) if entry.params else "",
            "--tune tries": "; ".join(
                f"{name} {', '.join(map(render_value, values))}"
                for name, values in card.tuning.items()
            ),
        }
    elif isinstance(card, TaskCard):
        facts |= {
            "data": ", ".join(card.datasets),
            "test set": TEST_SETS[card.test_set],
            "budget": card.budget,
            "offers": ", ".join(card.offers),
            "references": ", ".join(
                f"{reference.name} ({reference.kind})" for reference in card.references
            ),
        }
    else:
        facts |= {
            "size": card.size,
            "from": card.source,
            "had": card.had,
            **_pins(card.fingerprint),
        }
    lines += _facts(facts)
    if entry.params:
        rows = [
            [
                name,
                "required" if param.default is msgspec.UNSET else render_value(param.default),
                describe_type(param.type),
                param.doc,
            ]
            for name, param in entry.params.items()
        ]
        lines += ["", table(rows, ["parameter", "default", "takes", "what"])]
    if isinstance(card, TaskCard):
        presets = [
            [
                name,
                variant,
                preset.seeds,
                " ".join(
                    f"{key}={render_value(value)}"
                    for key, value in {**preset.params, **params}.items()
                ),
            ]
            for name, preset in card.presets.items()
            for variant, params in preset.variants.items()
        ]
        lines += ["", table(presets, ["preset", "variant", "seeds", "parameters"])]
        lines += [
            "",
            table(
                [
                    [
                        metric.name + (" *" if metric.primary else ""),
                        metric.direction,
                        metric.unit,
                        metric.title,
                    ]
                    for metric in card.metrics
                ],
                ["metric", "better", "unit", "what"],
            ),
        ]
    return "\n".join(lines)
