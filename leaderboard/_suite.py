"""The suite: what the board compares, on what, and between which anchors.

Read from a file, checked, and frozen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from bench.cards import TaskCard, TrackCard
from bench.errors import UsageError, near
from bench.runs.record import Record

from ._anchors import Anchors, Fixed, Side, anchors_file, read_anchors

ROOM = Path(__file__).parent
"""Where the built-in suites lie."""
DEFAULT = "default"
"""The tier that a board is of where none is named."""


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


def find(name: str | None, folders: Iterable[Path] = ()) -> Path:
    """Return the file of a suite.

    Args:
        name: a suite's name, or the path of its file; None: the newest built-in one.
        folders: where else suites may lie: the ``leaderboard`` rooms of plugins.

    Raises:
        UsageError: there is no such suite.
    """
    if name is not None and name.endswith(".toml"):
        return Path(name)
    files = {
        path.stem.removeprefix("suite-"): path
        for folder in (ROOM, *folders)
        for path in sorted(folder.glob("suite-*.toml"))
    }
    wanted = (
        max((found for found, path in files.items() if path.parent == ROOM), key=_age)
        if name is None
        else name
    )
    if wanted not in files:
        raise UsageError(
            f"unknown suite {wanted!r}.{near(wanted, files)} The suites: "
            f"{', '.join(sorted(files))}; or give the path of a .toml file."
        )
    return files[wanted]


def _age(name: str) -> list[int]:
    """Return what suites are ordered by: 2026.10 is newer than 2026.9."""
    return [int(part) for part in re.findall(r"\d+", name)]


def load(path: Path, tier: str = DEFAULT) -> tuple[Suite, Anchors]:
    """Return the suite at ``path`` in a tier, and the anchors that are frozen for it.

    Raises:
        UsageError: one of the files can't be used, or there is no such tier.
    """
    suite = in_tier(read_suite(path), tier)
    return suite, Anchors(
        suite=suite.name, cells=read_anchors(anchors_file(path, suite), suite).get(tier, {})
    )


def in_tier(suite: Suite, tier: str) -> Suite:
    """Return a suite in one of its tiers: with its number of seeds.

    Raises:
        UsageError: it has no such tier.
    """
    if tier not in suite.tiers:
        said = ", ".join(f"{name} ({seeds} seeds)" for name, seeds in suite.tiers.items())
        raise UsageError(
            f"the suite {suite.name} has no tier {tier!r}.{near(tier, suite.tiers)} Its tiers: "
            f"{said}."
        )
    return msgspec.structs.replace(suite, tier=tier, seeds=suite.tiers[tier])


def read_suite(path: Path) -> Suite:
    """Read and check a suite file; the suite comes in its default tier.

    Raises:
        UsageError: it can't be read or contradicts itself; the text says where.
    """
    try:
        suite = msgspec.toml.decode(path.read_bytes(), type=Suite)
    except OSError as error:
        raise UsageError(
            f"the suite {str(path)!r} can't be read ({error.strerror}); name one of "
            "leaderboard/suite-*.toml with --suite."
        ) from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise UsageError(
            f"the suite {str(path)!r} can't be used: {error}; docs/leaderboard.md says what a "
            "suite file holds."
        ) from None
    if problem := _contradiction(suite):
        raise UsageError(
            f"the suite {str(path)!r} can't be used: {problem}; docs/leaderboard.md says what a "
            "suite file holds."
        )
    return in_tier(
        msgspec.structs.replace(suite, tiers=suite.tiers or {DEFAULT: suite.seeds}), DEFAULT
    )


def tuned_board(suite: Suite, track: str | None = None) -> Suite:
    """Return a suite as its board at an equal tuning budget: the tracks that have one.

    Raises:
        UsageError: it has none, or none of the track that was asked for.
    """
    if suite.tuned is None:
        raise UsageError(
            f"the suite {suite.name} has no board at an equal tuning budget; leave --tuned out, "
            "or name with --suite one that says 'tuned'."
        )
    if track and track not in suite.tuned.tracks:
        said = ", ".join(suite.tuned.tracks)
        raise UsageError(
            f"the track {track!r} has no board at an equal tuning budget in the suite "
            f"{suite.name}; leave --tuned out, or name one of {said}."
        )
    return msgspec.structs.replace(
        suite,
        budget=suite.tuned.budget,
        tracks={name: suite.tracks[name] for name in suite.tuned.tracks},
    )


def in_seeds(suite: Suite, records: Sequence[Record]) -> tuple[list[Record], int]:
    """Return the records without those of the suite's cells whose seed its
    tier does not have, and the number of those.
    """
    cells = {tuple(name.split("/")) for track in suite.tracks for _, _, name in suite.cells(track)}

    def used(record: Record) -> bool:
        if record.seed < suite.seeds or record.device != suite.device:
            return True
        return (record.track, record.task, record.preset, record.variant) not in cells

    kept = [record for record in records if used(record)]
    return kept, len(records) - len(kept)


def named(suite: Suite, cards: Mapping[str, TrackCard]) -> Suite:
    """Return a suite whose tracks say what they are: in the words of its
    own file, else of their cards, else by their names.
    """
    tracks = {}
    for name, track in suite.tracks.items():
        card = cards.get(name)
        title, about = (
            (track.title, track.about)
            if track.title
            else (card.title, card.about)
            if card
            else (name, "")
        )
        tracks[name] = msgspec.structs.replace(track, title=title, about=about)
    return msgspec.structs.replace(suite, tracks=tracks)


def _contradiction(suite: Suite) -> str:
    if suite.device not in ("cpu", "cuda"):
        return f"its device is {suite.device!r}, it must be cpu or cuda"
    if problem := _names(suite) or _tiers(suite) or _tuned(suite):
        return problem
    if not 0 < suite.delta < 1:
        return f"it has delta = {suite.delta}, it must lie between 0 and 1"
    for name, track in suite.tracks.items():
        if not track.tasks:
            return f"its track {name!r} has no task"
        if suite.schema_version == 1 and not track.title:
            return (
                f"its track {name!r} has no title, which schema_version 1 wants; "
                "schema_version 2 reads it off the track's card"
            )
        if suite.schema_version > 1 and (track.title or track.about):
            return (
                f"its track {name!r} has a {'title' if track.title else 'line about'}, which "
                "stands on the track's card since schema_version 2; leave it out"
            )
        if len({(task.task, task.preset) for task in track.tasks}) < len(track.tasks):
            return f"its track {name!r} names a task twice"
        for task in track.tasks:
            label = f"its task {name}/{task.task}"
            if not task.variants or len(set(task.variants)) < len(task.variants):
                return f"{label} has no variant, or one twice"
            if not (task.seconds > 0 and math.isfinite(task.seconds)) or (
                task.visits is not None and task.visits <= 0
            ):
                return f"{label} has a budget that is not above 0"
            if isinstance(task.chance, float) and not math.isfinite(task.chance):
                return f"{label} has a chance that is not finite"
            for kind in ("low", "high"):
                side = (
                    getattr(task, kind) if getattr(task, kind) is not None else getattr(track, kind)
                )
                if side is None:
                    return f"{label} has no {kind} anchor, and neither has its track"
                if isinstance(side, Fixed) and not (math.isfinite(side.value) and side.why.strip()):
                    return (
                        f"{label} has a fixed {kind} anchor that is not finite, or that gives "
                        "no reason"
                    )
            low, high = track.side(task, "low"), track.side(task, "high")
            if (low.value if isinstance(low, Fixed) else low) == (
                high.value if isinstance(high, Fixed) else high
            ):
                return (
                    f"{label} has the same low and high anchor, so that nothing lies between them"
                )
    return "" if suite.tracks else "it has no track"


def _names(suite: Suite) -> str:
    """Say which name can't be part of a file's or of a cell's; empty: none."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}", suite.name):
        return (
            f"its name {suite.name!r} must be letters, digits, dots, hyphens and underscores, "
            "61 at most, since the file of its anchors is named by it"
        )
    for name, track in suite.tracks.items():
        named = [
            ("track", name),
            *(
                pair
                for task in track.tasks
                for pair in (
                    ("task", task.task),
                    ("preset", task.preset),
                    *(("variant", one) for one in task.variants),
                )
            ),
        ]
        for kind, text in named:
            if not text.strip() or "/" in text:
                return f"it names the {kind} {text!r}; a name is not empty and has no '/'"
    return ""


def _tuned(suite: Suite) -> str:
    if suite.budget:
        return (
            "it says budget at its top, which belongs into tuned = { budget = 8, tracks = [...] }"
        )
    if suite.tuned is None:
        return ""
    if suite.schema_version == 1:
        return "it says tuned, which schema_version 2 knows"
    if not 2 <= suite.tuned.budget <= 1000:
        return f"its tuned board has budget = {suite.tuned.budget}, it must be 2 to 1000 settings"
    strange = [name for name in suite.tuned.tracks if name not in suite.tracks]
    return (
        f"its tuned board names the track {strange[0]!r}, which it has not"
        if strange
        else ""
        if suite.tuned.tracks
        else "its tuned board has no track"
    )


def _tiers(suite: Suite) -> str:
    if suite.tier:
        return f"it names the tier {suite.tier!r}, which is for --tier to say"
    if not suite.tiers:
        return (
            ""
            if 1 <= suite.seeds <= 1000
            else (
                f"it has seeds = {suite.seeds}, it must be 1 to 1000, or tiers like {{ "
                f"nightly = 3, default = 5 }}"
            )
        )
    if suite.schema_version == 1:
        return "it has tiers, which schema_version 2 knows"
    if suite.seeds:
        return "it has seeds and tiers; tiers alone say how many seeds there are"
    for name, seeds in suite.tiers.items():
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name):
            return f"its tier {name!r} is no name of small letters, digits and hyphens"
        if not 1 <= seeds <= 1000:
            return f"its tier {name!r} has {seeds} seeds, it must be 1 to 1000"
    if len(set(suite.tiers.values())) < len(suite.tiers):
        return "two of its tiers have the same number of seeds"
    return "" if DEFAULT in suite.tiers else f"none of its tiers is called {DEFAULT!r}"


def disagreements(suite: Suite, tasks: Mapping[str, TaskCard]) -> list[str]:
    """Say where a suite names what the installed cards do not have."""
    found = []
    for name, track in suite.tracks.items():
        for task in track.tasks:
            identity = f"{name}/{task.task}"
            card = tasks.get(identity)
            if card is None:
                found.append(f"the task {identity} is not installed")
                continue
            variants: Mapping[str, Any] = (
                card.presets[task.preset].variants if task.preset in card.presets else {}
            )
            missing = [variant for variant in task.variants if variant not in variants]
            references = {reference.name for reference in card.references}
            sides = [track.side(task, "low"), track.side(task, "high")]
            missing += [side for side in sides if isinstance(side, str) and side not in references]
            found += [
                f"the task {identity} has no {item!r} in preset {task.preset}" for item in missing
            ]
    return found
