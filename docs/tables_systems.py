"""The page of systems: for every paper of a list, which method or task is its, what its card says
and what came of its claim; or that it is not here yet.

``systems.tsv`` names the papers: ``family``, ``kind`` (method, task or baseline), ``title``,
``here`` (track/name of plugins whose cards cite another paper) and ``note`` (what is missing, or
what it needs). A paper is here where a card's BibTeX has its title, or where ``here`` says so.
Papers of methods and tasks that the list does not have are read from the cards.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from tables_cards import ROOT, _link, _pages, _plain, home, registry
from tables_records import against_plain, orderings, verdict

FILE = ROOT / "docs" / "systems.tsv"
TITLE = re.compile(r"\btitle\s*=\s*[{\"](.*?)[}\"]\s*(?:,|\n\s*\})", re.DOTALL)


class System(NamedTuple):
    """A paper of the list."""

    family: str
    kind: str
    title: str
    here: str
    note: str


@functools.cache
def systems() -> list[System]:
    """Return the papers, in the order of the file."""
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [System(**row) for row in rows]


def plain_title(text: str) -> str:
    """Return a title as it is compared: letters and digits alone, in lower case."""
    return re.sub(r"[^a-z0-9]+", "", text.lower())


@functools.cache
def cited() -> dict[str, list[Any]]:
    """Return title, as compared -> the methods and tasks whose cards cite that paper."""
    found: dict[str, dict[str, Any]] = {}
    for kind in ("method", "task"):
        for entry in registry().rows(kind):
            for title in TITLE.findall(entry.card.bibtex):
                found.setdefault(plain_title(title), {})[f"{kind} {entry.name}"] = entry
    return {title: list(entries.values()) for title, entries in found.items()}


def entries_of(system: System) -> list[Any]:
    """Return the methods and tasks that stand for a paper.

    Raises:
        ValueError: the file names one that is not there.
    """
    named = []
    for name in filter(None, system.here.split(",")):
        found = [
            entry
            for kind in ("method", "task")
            for entry in registry().rows(kind)
            if name in [f"{track}/{entry.name}" for track in _tracks(entry)]
        ]
        if not found:
            raise ValueError(f"{FILE.name}: {system.title!r} names {name!r}, which is not here")
        named += found[:1]
    return named or cited().get(plain_title(system.title), [])


def _tracks(entry: Any) -> tuple[str, ...]:
    return entry.card.tracks if hasattr(entry.card, "tracks") else (entry.card.track,)


@functools.cache
def further() -> list[System]:
    """Return the papers that cards cite and the list does not have, by track and title."""
    listed = {plain_title(system.title) for system in systems()}
    stand = {_place(entry) for system in systems() for entry in entries_of(system)}
    cards = [entry for kind in ("method", "task") for entry in registry().rows(kind)]
    titles = {_papers(entry)[0]: title for entry in cards if (title := _title(entry))}
    found: dict[tuple[str, str], dict[str, None]] = {}
    for entry in cards:
        if entry.card.paper and _place(entry) not in stand:
            # tasks cite by number what a method cites in full
            title = _title(entry) or titles.get(_papers(entry)[0], str(entry.card.title))
            if plain_title(title) not in listed:
                found.setdefault((home(entry), title), {})[_place(entry)] = None
    return [
        System(f"[`{track}`](tracks/{_pages()[track]})", "", title, ",".join(places), "")
        for (track, title), places in sorted(found.items())
    ]


def _place(entry: Any) -> str:
    return f"{home(entry)}/{entry.name}"


def _papers(entry: Any) -> list[str]:
    return [part.strip() for part in entry.card.paper.split(",")]


def _title(entry: Any) -> str:
    """Return the title that the BibTeX of a card has; empty where there is none."""
    title = TITLE.search(entry.card.bibtex)
    return re.sub(r"[{}\\]", "", " ".join(title[1].split())) if title else ""


def page(part: str) -> str:
    """Return a part of the page: ``count``, ``here``, ``baselines``, ``absent``
    or ``further``.
    """
    counted = [system for system in systems() if system.kind != "baseline"]
    baselines = [system for system in systems() if system.kind == "baseline"]
    lines = {
        "count": lambda: _count(counted),
        "here": lambda: _by_family(filter(entries_of, counted), _described),
        "baselines": lambda: _by_family(baselines, _named),
        "absent": lambda: _by_family(
            (system for system in counted if not entries_of(system)), _named
        ),
        "further": lambda: _by_family(further(), _told),
    }[part]()
    return "\n" + "\n".join(lines) + "\n\n"


def _count(counted: list[System]) -> list[str]:
    whole = sum(bool(entries_of(system)) and not system.note for system in counted)
    part = sum(bool(entries_of(system)) and bool(system.note) for system in counted)
    lines = [
        f"Of {len(counted)} papers {whole} are here, {part} in part, and "
        f"{len(counted) - whole - part} not yet.",
        "",
        "| family | papers | here | in part | not yet |",
        "| --- | --- | --- | --- | --- |",
    ]
    for family in dict.fromkeys(system.family for system in counted):
        rows = [system for system in counted if system.family == family]
        there = [system for system in rows if entries_of(system)]
        some = sum(bool(system.note) for system in there)
        lines.append(
            f"| {family} | {len(rows)} | {len(there) - some} | {some} | {len(rows) - len(there)} |"
        )
    return lines


def _by_family(chosen: Iterable[System], tell: Any) -> list[str]:
    lines: list[str] = []
    family = ""
    for system in chosen:
        if system.family != family:
            family = system.family
            lines += [*([""] if lines else []), f"**{family[0].upper()}{family[1:]}**", ""]
        lines += tell(system)
    return lines


def _named(system: System) -> list[str]:
    entries = entries_of(system)
    where = f" Here: {', '.join(map(_where, entries))}." if entries else ""
    note = f" {system.note[0].upper()}{system.note[1:].rstrip('.')}." if system.note else ""
    kind = f" ({system.kind})" if system.kind != "baseline" else ""
    return [f"- {_plain(system.title)}{kind}.{where}{note}".replace("?.", "?")]


def _where(entry: Any) -> str:
    """Return a plugin's name with a link to the page that holds its card."""
    page = _pages().get(home(entry))
    return f"[`{entry.name}`](tracks/{page})" if page else f"`{entry.name}`"


def _described(system: System) -> list[str]:
    entries = entries_of(system)
    papers = dict.fromkeys(
        part.strip() for entry in entries for part in entry.card.paper.split(",") if part.strip()
    )
    links = f" {', '.join(map(_link, papers))}." if len(papers) == 1 and not system.here else ""
    lines = [
        f"- **{_plain(system.title)}{'' if system.title.endswith('?') else '.'}**{links} "
        f"Here: {', '.join(map(_where, entries))}."
    ]
    lines += [f"  - In part: {_plain(system.note)}"] if system.note else []
    for entry in entries:
        name = f"`{entry.name}`" if len(entries) > 1 else ""
        lines += _facts(entry, name)
    return lines


def _told(system: System) -> list[str]:
    """Return a paper that the list does not have, with its links, plugins and their verdicts."""
    entries = entries_of(system)
    papers = dict.fromkeys(
        paper.removeprefix(system.title).strip(" ()")
        for entry in entries
        for paper in _papers(entry)
    )
    lines = [
        f"- {_plain(system.title)}{'' if system.title.endswith('?') else '.'} "
        f"{', '.join(map(_link, papers))}. Here: {', '.join(map(_where, entries))}."
    ]
    for entry in entries:
        if hasattr(entry.card, "deviates"):
            name = f" of `{entry.name}`" if len(entries) > 1 else ""
            lines.append(f"  - Verdict{name}: {_verdict(entry)}.")
    return lines


def _facts(entry: Any, name: str) -> list[str]:
    card = entry.card
    of = f" of {name}" if name else ""
    lines = []
    if claim := getattr(card, "claim", ""):
        lines.append(f"  - Claim{of}: {_plain(claim)}")
    if hasattr(card, "deviates"):
        lines.append(f"  - Verdict{of}: {_verdict(entry)}.")
        lines.append(f"  - Differs from the paper{of}: {_plain(card.deviates) or 'nothing known.'}")
    else:
        lines.append(f"  - Ranked by{of}: `{card.primary.name}`, {_plain(card.primary.title)}.")
    return lines


def _verdict(entry: Any) -> str:
    """Say what came of a method's claim, and how it stands on the boards of its tracks."""
    said = []
    for track in _tracks(entry):
        said += [
            f"above `{rival}`: {verdict(rows).replace('-', 'not measured')}"
            for rival, rows in orderings(track).get(entry.name, [])
        ]
        stands = against_plain(track).get(entry.name)
        said.append(f"on {track} {stands}" if stands else f"no place on the board of {track}")
    return "; ".join(said)
