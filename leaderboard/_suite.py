"""The suite: what the board compares, on what, and between which anchors.

Read from a file, checked, and frozen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.cards import TrackCard
from bench.errors import UsageError, near
from bench.runs.record import Record

from ._anchors import Anchors, anchors_file, read_anchors
from ._suite_checks import contradiction
from ._suite_file import DEFAULT, Suite
from ._suite_names import age, series
from ._text import one_line

ROOM = Path(__file__).parent
"""Where the built-in suites lie."""


def suite_files(folders: Iterable[Path] = ()) -> dict[str, Path]:
    """Return suite -> its file, of the built-in suites and of those in other folders."""
    return {
        path.stem.removeprefix("suite-"): path
        for folder in (ROOM, *folders)
        for path in sorted(folder.glob("suite-*.toml"))
    }


def find(name: str | None, folders: Iterable[Path] = ()) -> Path:
    """Return the file of a suite.

    Args:
        name: a suite's name, that of a series for its newest one (``real`` for ``real-2``), or
            the path of a file; None: the newest built-in one of those named by a year.
        folders: where else suites may lie: the ``leaderboard`` rooms of plugins.

    Raises:
        UsageError: there is no such suite.
    """
    if name is not None and name.endswith(".toml"):
        return Path(name)
    files = suite_files(folders)
    if name in files:
        return files[name]
    years = name is None  # a plugin's suites are asked for by name
    alike = [
        one
        for one, path in files.items()
        if series(one) == (name or "") and age(one) and (path.parent == ROOM or not years)
    ]
    if not alike or name == "":
        known = sorted(files, key=lambda one: (series(one), age(one)))
        raise UsageError(
            f"unknown suite {name!r}.{near(str(name), files)} The suites: {', '.join(known)}; or "
            "give the path of a .toml file."
        )
    return files[max(alike, key=age)]


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
    if problem := contradiction(suite):
        raise UsageError(
            f"the suite {str(path)!r} can't be used: {problem}; docs/leaderboard.md says what a "
            "suite file holds."
        )
    return in_tier(
        msgspec.structs.replace(suite, tiers=suite.tiers or {DEFAULT: suite.seeds}), DEFAULT
    )


def declared(path: Path) -> dict[str, Any]:
    """Return what a suite declares to run: its name, device and seeds (of the default tier), and of
    each task track, name, preset, variants and methods (none: all of the track).

    Raises:
        UsageError: the file can't be used.
    """
    suite = read_suite(path)
    return {
        "name": suite.name,
        "device": suite.device,
        "seeds": suite.seeds,
        "tasks": [
            {
                "track": track,
                "task": task.task,
                "preset": task.preset,
                "variants": list(task.variants),
                "methods": list(task.methods),
            }
            for track, found in suite.tracks.items()
            for task in found.tasks
        ],
    }


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
    own file, else of their cards, else by their names; without control characters.
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
        tracks[name] = msgspec.structs.replace(track, title=one_line(title), about=one_line(about))
    return msgspec.structs.replace(suite, tracks=tracks)
