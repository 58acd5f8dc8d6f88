"""Plugins and tracks as the index knows them."""

from __future__ import annotations

import msgspec

from bench.cards import DatasetCard, MethodCard, TaskCard, TrackCard
from bench.params import Param
from bench.plugins.source import Target


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One plugin in one track: a row of ``bench list``."""

    kind: str
    track: str
    card: MethodCard | TaskCard | DatasetCard
    params: dict[str, Param]
    target: Target
    source: str

    @property
    def name(self) -> str:
        """The short name."""
        return self.card.name

    @property
    def identity(self) -> str:
        """``track/name``, or the name alone for a dataset."""
        return f"{self.track}/{self.name}" if self.track else self.name


class TrackEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The card of a track, and where it stands; ``target.qualname`` is what it is assigned to."""

    card: TrackCard
    target: Target
    source: str
