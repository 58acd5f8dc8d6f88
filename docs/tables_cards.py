"""Parts of the docs that are generated from cards: of a track's tasks and methods, of tracks."""

from __future__ import annotations

import functools
import os
import re
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]

OFFICIAL = {
    "ok": "The authors' code was read.",
    "flawed": "The authors' code was read, and differs from their paper.",
    "none": "",
}


@functools.cache
def registry() -> Any:
    """Return the plugins of this repository, without those that other packages bring."""
    from bench.plugins.registry import Registry

    others = ",".join(point.name for point in entry_points(group="bench"))
    with mock.patch.dict(os.environ, {"BENCH_DISABLE_PLUGINS": others}):
        return Registry()


@functools.cache
def cards(track: str) -> str:
    """Return what the cards of a track's tasks and methods say.

    A method of several tracks is told under the one whose folder it lies in.
    """
    installed = registry()
    lines = [
        "| task | data | presets: variants | ranked by | anchors |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        _task(entry.card, {data.name: data.card for data in installed.rows("dataset")})
        for entry in _sorted(installed, "task", track)
    ]
    elsewhere: dict[str, list[str]] = {}
    told = []
    for entry in _sorted(installed, "method", track):
        if home(entry) == track:
            told += _method(entry)
        else:
            elsewhere.setdefault(home(entry), []).append(f"`{entry.name}`")
    for other, names in sorted(elsewhere.items()):
        told += [
            "",
            (
                f"Also of this track, with their cards under [{other}]({_pages()[other]}): "
                f"{', '.join(names)}."
            ),
        ]
    return "\n" + "\n".join([*lines, "", *told]) + "\n\n"


def home(entry: Any) -> str:
    """Return the track under which the card of a method or task is told."""
    if not hasattr(entry.card, "tracks"):
        return str(entry.card.track)
    folder = Path(entry.target.path).parent.name.replace("_", "-")
    return folder if folder in entry.card.tracks else str(entry.card.tracks[0])


@functools.cache
def _pages() -> dict[str, str]:
    """Return the page of every track that has one: where its cards stand."""
    files = sorted((ROOT / "docs" / "tracks").glob("*.md"))
    return {
        track: file.name
        for file in files
        for track in re.findall(
            r"^<!-- cards: (\S+) -->$", file.read_text(encoding="utf-8"), re.MULTILINE
        )
    }


@functools.cache
def tracks(place: str) -> str:
    """Return what the cards of the tracks say, by field.

    ``place``: ``top`` for a page of the repository's folder, where a field is a line; ``docs`` for
    one of docs/, where a track is a row.
    """
    from bench.cards import FIELDS

    installed = registry()
    found = installed.track_cards(installed.tracks()).values()
    found = sorted(found, key=lambda card: (FIELDS.index(card.field), card.name))
    if place == "top":
        fields: dict[str, list[str]] = {}
        for card in found:
            link = f"[`{card.name}`](docs/tracks/{_pages()[card.name]})"
            fields.setdefault(card.field, []).append(link)
        return "\n" + "\n".join(f"- {name}: {', '.join(fields[name])}" for name in fields) + "\n\n"
    lines = ["| track | field | what its methods do |", "| --- | --- | --- |"]
    for card in found:
        page = f"tracks/{_pages()[card.name]}"
        lines.append(f"| [`{card.name}`]({page}) | {card.field} | {_plain(card.about)} |")
    return "\n" + "\n".join(lines) + "\n\n"


HAD = {
    "shipped": "comes with bench's libraries",
    "generated": "made when it is asked for",
    "hub": "a copy in `$BENCH_DATA/{name}`, or `BENCH_HUB=1`",
    "local": "a copy in `$BENCH_DATA`",
}
"""How a dataset is had, where no command puts it on a machine."""


@functools.cache
def data(which: str) -> str:
    """Return what the cards of the datasets say of licence, size and how to have them; ``which``
    is ``all``.
    """
    assert which == "all", "there is one table of data"
    lines = ["| dataset | licence | size | how to have it |", "| --- | --- | --- | --- |"]
    for entry in sorted(registry().rows("dataset"), key=lambda entry: str(entry.name)):
        card = entry.card
        ways = [f"`{card.get}`"] if card.get else []
        if card.had in ("hub", "local") or not card.get:
            ways.append(HAD[card.had].format(name=card.name))
        lines.append(
            f"| `{card.name}`: {_plain(card.title)} | {_plain(card.licence)} | "
            f"{_plain(card.size)} | {', or '.join(ways)} |"
        )
    return "\n" + "\n".join(lines) + "\n\n"


def _sorted(installed: Any, kind: str, track: str) -> list[Any]:
    return sorted(
        (entry for entry in installed.rows(kind) if entry.track == track),
        key=lambda entry: str(entry.name),
    )


def _task(card: Any, data: dict[str, Any]) -> str:
    sets = (
        "; ".join(f"`{name}` ({data[name].licence}, {data[name].had})" for name in card.datasets)
        or "made by the task"
    )
    sizes = "; ".join(f"{name}: {_size(preset)}" for name, preset in card.presets.items())
    anchors = (
        ", ".join(f"`{reference.name}` ({reference.kind})" for reference in card.references) or "-"
    )
    return (
        f"| `{card.name}`: {_plain(card.title)} | {sets} | {sizes} | `{card.primary.name}` | "
        f"{anchors} |"
    )


def _size(preset: Any) -> str:
    variants = ", ".join(f"`{variant}`" for variant in preset.variants)
    methods = [_counted(len(preset.methods), "method")] if preset.methods else []
    return ", ".join([variants, *methods, _counted(preset.seeds, "seed")])


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count > 1 else ''}"


def _link(paper: str) -> str:
    """Return a paper with a link, or as it stands if it is neither a number nor an address."""
    for prefix, where in (
        ("doi:", "https://doi.org/"),
        ("arXiv:", "https://arxiv.org/abs/"),
        ("https://", "https://"),
    ):
        if paper.startswith(prefix):
            return f"[{paper.removeprefix('https://')}]({where}{paper.removeprefix(prefix)})"
    return paper


def _method(entry: Any) -> list[str]:
    from bench.cli._cards import origin

    card = entry.card
    papers = ", ".join(map(_link, filter(None, map(str.strip, card.paper.split(",")))))
    needs = f"Needs {', '.join(f'`{need}`' for need in card.needs)}. " if card.needs else ""
    extras = (
        f"Imports {', '.join(f'`{name}`' for name in card.libraries)}. " if card.libraries else ""
    )
    params = ", ".join(f"`{name}={_value(param.default)}`" for name, param in entry.params.items())
    plain = "Plain baseline. " if card.plain else ""
    facts = (
        f"{papers + '. ' if papers else ''}{plain}{needs}{extras}{card.licence}. "
        f"{OFFICIAL[card.official_code]}"
    ).strip()
    differs = _plain(card.deviates) if card.deviates else ("Nothing known." if card.paper else "")
    told = [f"- **`{card.name}`** {_plain(card.title)}. {facts}"]
    told += (
        [f"  - Defaults{f' ({where})' if (where := origin(card)) else ''}: {params}"]
        if params
        else []
    )
    return told + ([f"  - Differs from the paper: {differs}"] if differs else [])


def _value(value: Any) -> str:
    return (
        {None: "none", True: "true", False: "false"}[value]
        if value is None or isinstance(value, bool)
        else str(value).replace(" ", "")
    )


def _plain(text: str) -> str:
    """Return ``text`` on one line, with nothing in it that Markdown would read as markup."""
    return re.sub(r"([*|<\[\]])", r"\\\1", " ".join(text.split()))
