"""``bench list``."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from bench.cards import MethodCard, TaskCard
from bench.cli._cards import source_text
from bench.cli._layout import wide_option
from bench.cli._options import (
    emit_json,
    json_option,
    open_registry,
    plugins_option,
    say,
    table,
    tracks_completer,
)
from bench.errors import UsageError, near
from bench.plugins.entries import Entry, TrackEntry
from bench.plugins.registry import Registry, task_card
from bench.runs.provenance import missing
from bench.texts import printable

_KINDS = {"methods": "method", "tasks": "task", "datasets": "dataset"}


@click.command("list")
@click.argument("what", type=click.Choice([*_KINDS, "tracks", "all"]), default="all")
@click.option("--track", shell_complete=tracks_completer, help="Only this track.")
@wide_option
@plugins_option
@json_option
def command(what: str, track: str | None, plugins: tuple[str, ...], as_json: bool) -> None:
    """List methods, tasks, datasets or tracks, with where they come from
    and whether they can run here.
    """
    registry = open_registry(plugins)
    if track is not None and track not in registry.tracks():
        raise UsageError(
            f"unknown track {track!r} (from --track).{near(track, registry.tracks())} The tracks: "
            f"{', '.join(registry.tracks())}."
        )
    document: dict[str, Any] = {"schema_version": 1}
    for name, kind in _KINDS.items():
        if what in (name, "all"):
            document[name] = [
                row
                for row in _rows(registry, kind)
                if track is None or row.get("track") in (track, None)
            ]
    if what in ("tracks", "all"):
        document["tracks"] = [
            row
            for name in registry.tracks()
            if track in (None, name)
            for row in _tracks(registry, name)
        ]
    document["broken"] = [
        {"name": item.name, "source": item.source, "status": "broken", "error": item.error}
        for item in registry.broken
    ]
    if as_json:
        emit_json(document)
    else:
        _print(document)


def _rows(registry: Registry, kind: str) -> list[dict[str, Any]]:
    clashes = registry.clashes(kind)
    rows = [_row(entry, entry.identity in clashes) for entry in registry.rows(kind)]
    if kind == "method":
        rows += _references(registry)
    return sorted(
        rows,
        key=lambda row: (
            row.get("track", ""),
            row.get("kind") == "reference",
            row["name"],
            row["source"],
        ),
    )


def _references(registry: Registry) -> list[dict[str, Any]]:
    """Return a row for each way of solving that belongs to tasks: one a name, naming its tasks."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in registry.rows("task"):
        for reference in task_card(entry).references:
            if reference.solve:
                row = {
                    "name": reference.name,
                    "track": entry.track,
                    "kind": "reference",
                    "title": reference.title,
                    "source": "",
                    "status": "ok",
                    "reason": "",
                    "anchor": reference.kind,
                    "tasks": [],
                }
                rows.setdefault((entry.track, reference.name), row)["tasks"].append(entry.name)
    for row in rows.values():
        row["source"] = f"task {', '.join(row['tasks'])}"
    return list(rows.values())


def _row(entry: Entry, clash: bool) -> dict[str, Any]:
    card = entry.card
    absent = missing(card.libraries)
    status, reason = (
        ("clash", "another plugin has this name")
        if clash
        else ("unavailable", f"needs the library {absent[0]}")
        if absent
        else ("ok", "")
    )
    row: dict[str, Any] = {
        "name": card.name,
        **({"track": entry.track} if entry.track else {}),
        "title": card.title,
        "source": entry.source,
        "status": status,
        "reason": reason,
    }
    if isinstance(card, MethodCard):
        row |= {
            "kind": "method",
            "paper": card.paper,
            "plain": card.plain,
            "deviates": card.deviates,
            "needs": list(card.needs),
            "stacked": card.stacked,
            "params": {
                name: None if param.default is msgspec.UNSET else param.default
                for name, param in entry.params.items()
            },
        }
    elif isinstance(card, TaskCard):
        row |= {
            "presets": {
                name: {
                    "variants": list(preset.variants),
                    "seeds": preset.seeds,
                    "methods": list(preset.methods),
                }
                for name, preset in card.presets.items()
            },
            "metrics": [
                {
                    "name": metric.name,
                    "direction": metric.direction,
                    "primary": metric.primary,
                    "unit": metric.unit,
                }
                for metric in card.metrics
            ],
            "datasets": list(card.datasets),
            "offers": list(card.offers),
            "references": [reference.name for reference in card.references],
        }
    else:
        row |= {"size": card.size, "had": card.had, "licence": card.licence}
    return row


def _tracks(registry: Registry, name: str) -> list[dict[str, Any]]:
    """Return a row for a track: for each of its cards where there are
    several, and one without a title where there is none.
    """
    found = registry.cards_of(name)
    count = {
        kind: sum(entry.track == name for entry in registry.rows(kind))
        for kind in ("method", "task")
    }
    bare = {
        "name": name,
        "title": "",
        "field": "",
        "about": "",
        "ranked": "",
        "source": "",
        "status": "ok",
        "reason": "",
        "methods": count["method"],
        "tasks": count["task"],
    }
    rows = [
        bare
        | {field: getattr(entry.card, field) for field in ("title", "field", "about", "ranked")}
        | {"source": entry.source}
        for entry in found
    ]
    if len(rows) > 1:
        clash = {
            "status": "clash",
            "reason": f"{len(rows)} cards claim this track: {' and '.join(map(_where, found))}",
        }
        return [row | clash for row in rows]
    return rows or [bare]


def _where(entry: TrackEntry) -> str:
    """Say where a card of a track stands: two may be of one source, even of one file."""
    return f"{entry.source} ({entry.target.qualname} in {entry.target.path})"


def _print(document: dict[str, Any]) -> None:
    for name in ("methods", "tasks", "datasets", "tracks"):
        rows = document.get(name)
        if rows is None:
            continue
        if name == "tracks":
            say("\n".join(map(_track_text, rows)) + "\n")
            continue
        if name == "datasets":
            text = table(
                [
                    [row["name"], row["title"], row["had"], row["source"], _status(row)]
                    for row in rows
                ],
                ["dataset", "what", "had", "source", "status"],
            )
        elif name == "tasks":
            text = table(
                [
                    [
                        f"{row['track']}/{row['name']}",
                        row["title"],
                        " ".join(row["presets"]),
                        row["source"],
                        _status(row),
                    ]
                    for row in rows
                ],
                ["task", "what", "presets", "source", "status"],
            )
        else:
            text = table(
                [
                    [
                        f"{row['track']}/{row['name']}",
                        _what(row),
                        row.get("paper", ""),
                        source_text(row),
                        _status(row),
                    ]
                    for row in rows
                ],
                ["method", "what", "paper", "source", "status"],
            )
        click.echo(printable(text) + "\n")
    if document["broken"]:
        say(
            table(
                [[row["name"], row["source"], row["error"]] for row in document["broken"]],
                ["broken plugin", "source", "error"],
            )
            + "\n"
        )


def _what(row: dict[str, Any]) -> str:
    """Return the title of a method or reference; a plain baseline is said to be one."""
    return str(row["title"]) + (" (plain baseline)" if row.get("plain") else "")


def _track_text(row: dict[str, Any]) -> str:
    """Tell a track in lines of its own, since a sentence fits no column."""
    count = ", ".join(
        f"{row[kind]} {kind.removesuffix('s') if row[kind] == 1 else kind}"
        for kind in ("methods", "tasks")
    )
    lines = [
        (
            f"{row['name']}: {row['title'] or 'no card'} "
            f"({row['field'] and row['field'] + '; '}{count})"
        )
    ]
    lines += [f"    {row['about']}"] if row["about"] else []
    lines += [f"    {row['status']}: {row['reason']}"] if row["reason"] else []
    return "\n".join(lines)


def _status(row: dict[str, Any]) -> str:
    return (
        f"{row['status']}: {row['reason']}"
        if row["reason"]
        else row["status"]
        if row.get("kind") != "reference"
        else f"{row['anchor']} reference"
    )
