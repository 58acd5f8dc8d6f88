"""Suites of a series follow each other, as those of the years do: 2026.4 after 2026.3, real-1 in a
series of its own. A task stands on the board of the series whose newest suite declares it.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.errors import UsageError
from bench.runs.record import Record

from ._suite import ROOM, read_suite
from ._suite_file import Suite
from ._suite_names import age, series
from ._text import counted


def of_this_series(
    records: Sequence[Record], suite: Suite, folders: Iterable[Path] = ()
) -> tuple[list[Record], list[str]]:
    """Return the records without those of tasks that another series declares and this suite does
    not, and where these are to be seen.

    Args:
        records: any.
        suite: whose board is made.
        folders: where suites may lie beside the built-in ones.
    """
    mine, others = _tasks(suite), _newest(suite, folders)
    homes = {task: one.name for one in others for task in _tasks(one) - mine}
    kept = [record for record in records if (record.track, record.task) not in homes]
    left = Counter(
        homes[place] for record in records if (place := (record.track, record.task)) in homes
    )
    return kept, [
        f"{counted(count, 'record')} of tasks of the suite {name} "
        f"{'are' if count > 1 else 'is'} on its own board: bench leaderboard --suite {name}"
        for name, count in sorted(left.items())
    ]


def _tasks(suite: Suite) -> set[tuple[str, str]]:
    return {(track, task.task) for track, found in suite.tracks.items() for task in found.tasks}


def _newest(suite: Suite, folders: Iterable[Path]) -> list[Suite]:
    """Return the newest suite of every other series, those of the years last."""
    newest: dict[str, str] = {}
    files = {
        path.stem.removeprefix("suite-"): path
        for folder in (ROOM, *folders)
        for path in sorted(folder.glob("suite-*.toml"))
    }
    for name in sorted(files, key=age):
        newest[series(name)] = name
    found = []
    for kind, name in sorted(newest.items(), reverse=True):  # the years' come last and so prevail
        with contextlib.suppress(UsageError):  # who asks for that suite is told
            if kind != series(suite.name):
                found.append(read_suite(files[name]))
    return found
