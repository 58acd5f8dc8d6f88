"""Methods and tasks that were named together and belong to different
tracks: none of them would run, so it is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from bench.errors import BenchError, NothingSelected, UsageError, listed
from bench.params import split_call
from bench.plugins.registry import Registry, task_card

_MOST = 6
"""Names that a sentence lists."""


def refuse_mismatch(
    methods: Sequence[str], tasks: Sequence[str], track: str | None, registry: Registry
) -> None:
    """Refuse a named method that no named task shares a track with, and the other way round.

    A glob asks for what fits, so one that fits nothing is refused only where nothing else runs.

    Raises:
        UsageError: a name has no partner. NothingSelected: no glob has one.
    """
    homes = {
        "method": {text: tracks_of("method", text, track, registry) for text in methods},
        "task": {text: tracks_of("task", text, track, registry) for text in tasks},
    }
    if (
        not methods
        or not tasks
        or not all(tracks for found in homes.values() for tracks in found.values())
    ):
        return  # a name that nothing has is another sentence's matter
    everywhere = {kind: set().union(*found.values()) for kind, found in homes.items()}
    together = everywhere["method"] & everywhere["task"]
    for kind, other in (("method", "task"), ("task", "method")):
        for text, tracks in homes[kind].items():
            if not tracks & everywhere[other] and (not _glob(text) or not together):
                error = NothingSelected if any(map(_glob, (*methods, *tasks))) else UsageError
                partners = [
                    partner
                    for partner in homes[other]
                    if not homes[other][partner] & everywhere[kind]
                ] or list(homes[other])
                raise error(_sentence(kind, text, partners, homes, registry))


def _sentence(
    kind: str,
    text: str,
    partners: Sequence[str],
    homes: dict[str, dict[str, set[str]]],
    registry: Registry,
) -> str:
    other: Literal["method", "task"] = "task" if kind == "method" else "method"
    tracks = homes[kind][text]
    theirs = set().union(*(homes[other][partner] for partner in partners))
    said = (
        f"the {kind} {_short(text)!r} belongs to {_in_words(tracks, 'track')}, the "
        f"{other}{'s' * (len(partners) > 1)} "
    )
    said += (
        f"{', '.join(repr(_short(partner)) for partner in partners[:_MOST])} to "
        f"{_in_words(theirs, 'track')}; a method runs on the tasks of its own track."
    )
    wanted = _names(other, tracks, registry)
    said += f" The {other}s of {listed(sorted(tracks))} are {_listed(wanted)}." if wanted else ""
    siblings = sorted(
        f"{home}/{_short(text).rpartition('/')[2]}"
        for home in theirs
        if tracks_of(kind, f"{home}/{_short(text).rpartition('/')[2]}", None, registry)
    )
    return said + (f" Of that name there is {listed(siblings)} too." if siblings else "")


def tracks_of(kind: str, text: str, track: str | None, registry: Registry) -> set[str]:
    """Return the tracks in which ``text`` names something: for methods
    also references, which belong to tasks.
    """
    name = _short(text)
    try:
        found = {entry.track for entry in registry.select(kind, name, track)}
    except BenchError:
        found = set()
    if kind == "method":
        for entry in registry.rows("task") if track is None or not found else ():
            if any(
                reference.solve and name in (reference.name, f"{entry.track}/{reference.name}")
                for reference in task_card(entry).references
            ):
                found |= {entry.track} if track in (None, entry.track) else set()
    return found


def _short(text: str) -> str:
    return split_call(text)[0]


def _glob(text: str) -> bool:
    return "*" in _short(text) or "?" in _short(text)


def _names(kind: str, tracks: Iterable[str], registry: Registry) -> list[str]:
    return [entry.name for entry in registry.rows(kind) if entry.track in tracks]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST]) + (
        f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    )


def _in_words(tracks: set[str], word: str) -> str:
    return f"the {word}{'s' * (len(tracks) > 1)} {listed(sorted(tracks))}"
