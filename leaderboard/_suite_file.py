"""What the file of a suite holds."""

from __future__ import annotations

from typing import Literal

import msgspec

DEFAULT = "default"
"""The tier that a board is of where none is named."""


class Fixed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An anchor that is a value, not a run."""

    value: float
    why: str


Side = str | Fixed
"""The name of a reference, or a fixed value."""


class SuiteTask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A task of a suite. Its variants are averaged, and tasks weigh the same."""

    task: str
    variants: tuple[str, ...]
    preset: str = "default"
    low: Side | None = None
    """The anchor that scores 0; None: the track's."""
    high: Side | None = None
    """The anchor that scores 1; None: the track's."""
    chance: float | Literal["low"]
    """What a trivial predictor reaches, in the metric's unit; ``"low"``: the low anchor."""
    seconds: float
    """The most that ``solve`` may take."""
    visits: int | None = None
    """The most example visits, forward and backward together; None: what the protocol spends."""
    methods: tuple[str, ...] = ()
    """The methods that ``bench run --suite`` runs here and the board waits for; none: all of the
    track.
    """

    def asks_for(self, method: str) -> bool:
        """Say whether the suite wants a method on this task."""
        return not self.methods or method in self.methods


class SuiteTrack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A track of a suite."""

    title: str = ""
    """In files of schema_version 1; since 2 it stands on the track's card,
    and :func:`named` puts it here.
    """
    about: str = ""
    low: Side | None = None
    high: Side | None = None
    tasks: tuple[SuiteTask, ...]

    def side(self, task: SuiteTask, kind: Literal["low", "high"]) -> Side:
        """Return an anchor of a task: its own, else the track's."""
        own: Side | None = getattr(task, kind)
        found = own if own is not None else getattr(self, kind)
        assert found is not None, "checked when the suite was read"
        return found  # type: ignore[no-any-return]


class Tuned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tracks of a suite that have a second board, at an equal tuning budget."""

    budget: int
    """Settings that ``--tune`` tries of each method."""
    tracks: tuple[str, ...]


class Suite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A suite file."""

    schema_version: Literal[1, 2]
    name: str
    device: str
    seeds: int = 0
    """Of the tier at hand, the seeds 0 to n - 1; a file without tiers says
    those of its only one.
    """
    tiers: dict[str, int] = {}
    """Name -> seeds. Each tier has a board and anchors of its own; ``default`` is one of them."""
    tier: str = ""
    """The tier at hand, see :func:`in_tier`; not for files."""
    tuned: Tuned | None = None
    """Since schema_version 2."""
    over_datasets: bool = False
    """Whether boards say what each dataset gives, and the mean over datasets with an interval
    over these. Since schema_version 2.
    """
    budget: int = 0
    """The tuning budget at hand, see :func:`tuned_board`; not for files."""
    delta: float
    """The smallest difference of normalised scores worth calling one."""
    tracks: dict[str, SuiteTrack]

    def cells(self, track: str) -> list[tuple[SuiteTask, str, str]]:
        """Return task, variant and the name of the cell, ``track/task/preset/variant``."""
        return [
            (task, variant, f"{track}/{task.task}/{task.preset}/{variant}")
            for task in self.tracks[track].tasks
            for variant in task.variants
        ]
