"""Names to plugins: identities, short names, globs, near matches, references."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable

from bench.cards import DatasetCard, MethodCard, TaskCard, TrackCard
from bench.errors import PluginError, UsageError, near
from bench.plugins.discovery import Broken, discover
from bench.plugins.entries import Entry, TrackEntry
from bench.plugins.index import Index

_PLURAL = {"method": "methods", "task": "tasks", "dataset": "datasets"}


def fits(identity: str, pattern: str) -> bool:
    """Say whether ``track/name`` is meant by a pattern: a name or a glob, with or without the
    track.
    """
    name = identity if "/" in pattern else identity.rpartition("/")[2]
    if any(character in pattern for character in "*?"):
        return fnmatch.fnmatchcase(name, pattern)
    return name == pattern


class Registry:
    """Every plugin found, by identity.

    Two plugins of one identity are an error when the name is used.
    """

    def __init__(self, paths: Iterable[str] = (), index: Index | None = None) -> None:
        self.index = index or Index()
        found = discover(self.index, paths)
        self.broken: list[Broken] = found.broken
        self.manager = found.manager
        self._kinds: dict[str, dict[str, list[Entry]]] = {"method": {}, "task": {}, "dataset": {}}
        for entry in found.entries:
            self._kinds[entry.kind].setdefault(entry.identity, []).append(entry)
        self._tracks: dict[str, list[TrackEntry]] = {}
        for track in found.tracks:
            self._tracks.setdefault(track.card.name, []).append(track)

    def rows(self, kind: str) -> list[Entry]:
        """Return the entries of a kind, sorted by identity; of clashing ones, all."""
        return [entry for _, entries in sorted(self._kinds[kind].items()) for entry in entries]

    def clashes(self, kind: str) -> set[str]:
        """Return the identities that more than one plugin claims."""
        return {identity for identity, entries in self._kinds[kind].items() if len(entries) > 1}

    def get(self, kind: str, identity: str) -> Entry:
        """Return the entry of a full identity.

        Raises:
            UsageError: there is none. PluginError: two plugins claim it.
        """
        if identity not in self._kinds[kind]:
            raise self._unknown(kind, identity, "")
        entries = self._kinds[kind][identity]
        if len(entries) > 1:
            raise PluginError(
                f"two plugins are called {kind} {identity!r}: "
                f"{' and '.join(entry.source for entry in entries)}; rename one, or leave one out."
            )
        return entries[0]

    def select(
        self, kind: str, pattern: str, track: str | None = None, origin: str = ""
    ) -> list[Entry]:
        """Return the entries that a name, ``track/name`` or glob names, within ``track`` when one
        is given.

        Raises:
            UsageError: nothing has that name. PluginError: two plugins claim it.
        """
        known = [
            identity
            for identity in sorted(self._kinds[kind])
            if track is None or self._kinds[kind][identity][0].track == track
        ]
        chosen = [identity for identity in known if fits(identity, pattern)]
        if not chosen:
            raise self._unknown(kind, pattern, origin, track)
        return [self.get(kind, identity) for identity in chosen]

    def one(self, kind: str, name: str) -> Entry:
        """Return the one entry of a name; a name that several tracks use
        must be written ``track/name``.
        """
        found = self.select(kind, name)
        if len(found) > 1:
            raise UsageError(
                f"{name!r} names {len(found)} {_PLURAL[kind]}: "
                f"{', '.join(entry.identity for entry in found)}; write one of them in full."
            )
        return found[0]

    def _unknown(self, kind: str, name: str, origin: str, track: str | None = None) -> UsageError:
        names = {entry.name for entry in self.rows(kind)} | set(self._kinds[kind])
        where = f" in track {track!r}" if track else ""
        elsewhere = sorted(
            {
                entry.identity
                for entry in self.rows(kind)
                if track and entry.track != track and name in (entry.name, entry.identity)
            }
        )
        if elsewhere:
            return UsageError(
                f"there is no {kind} {name!r} in the track {track!r}, but there is "
                f"{' and '.join(elsewhere)}; name that track, or another {kind}."
            )
        broken = next(
            (
                f" The plugin {item.name} ({item.source}) is broken: {item.error}."
                for item in self.broken
                if name.replace("-", "_") in item.name
            ),
            "",
        )
        listing = {"method": "methods", "task": "tasks", "dataset": "datasets"}[kind]
        return UsageError(
            f"unknown {kind} "
            f"{name!r}{where}{origin and f' (from {origin})'}.{near(name, names)}{broken} Run "
            f"'bench list {listing}' for all {len(self._kinds[kind])}."
        )

    def tracks(self) -> list[str]:
        """Return the names of every track that a method or a task belongs
        to, or that has a card.
        """
        return sorted(
            {entry.track for kind in ("method", "task") for entry in self.rows(kind)}
            | set(self._tracks)
        )

    def cards_of(self, track: str) -> list[TrackEntry]:
        """Return the cards of a track: one, none where no plugin brings
        one, or several that clash.
        """
        return self._tracks.get(track, [])

    def track_card(self, track: str) -> TrackCard | None:
        """Return the card of a track; None where no plugin brings one.

        Raises:
            PluginError: two cards claim it.
        """
        found = self.cards_of(track)
        if len(found) > 1:
            sources = " and ".join(
                f"{entry.source} ({entry.target.qualname} in {entry.target.path})"
                for entry in found
            )
            raise PluginError(
                f"two cards claim the track {track!r}: {sources}; rename one of the tracks, or "
                "leave one plugin out."
            )
        return found[0].card if found else None

    def track_cards(self, used: Collection[str]) -> dict[str, TrackCard]:
        """Return the card of every track that has one, by name; of a track that two cards claim and
        that is not in ``used``, none.

        Raises:
            PluginError: two cards claim a track in ``used``.
        """
        return {
            track: card
            for track, found in self._tracks.items()
            if (track in used or len(found) == 1) and (card := self.track_card(track))
        }

    def cards(self) -> dict[str, TaskCard]:
        """Return every task's card by identity, as the board takes them."""
        return {
            entry.identity: entry.card
            for entry in self.rows("task")
            if isinstance(entry.card, TaskCard)
        }


def method_card(entry: Entry) -> MethodCard:
    """Return the card of a method's entry."""
    assert isinstance(entry.card, MethodCard)
    return entry.card


def task_card(entry: Entry) -> TaskCard:
    """Return the card of a task's entry."""
    assert isinstance(entry.card, TaskCard)
    return entry.card


def dataset_card(entry: Entry) -> DatasetCard:
    """Return the card of a dataset's entry."""
    assert isinstance(entry.card, DatasetCard)
    return entry.card
