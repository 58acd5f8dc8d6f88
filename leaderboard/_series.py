"""Suites of a series follow each other, as those of the years do: 2026.4 after 2026.3, real-1 in a
series of its own. A task stands on the board of the series whose newest suite declares it, and one
that none declares on that of the years.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bench.runs.record import Record

from ._suite import read_suite, suite_files
from ._suite_file import Suite
from ._suite_names import age, series
from ._text import counted


def of_this_series(records: Sequence[Record], suite: Suite) -> tuple[list[Record], list[str]]:
    """Return the records without those of tasks that another series of built-in suites shows and
    this suite does not declare, and where these are to be seen.

    Args:
        records: any.
        suite: whose board is made.
    """
    mine, others = _tasks(suite), _newest(suite)
    homes = {task: one.name for one in others for task in _tasks(one)}
    # what no suite declares stands on the board of the years
    years = next((one.name for one in others if not series(one.name)), "")
    kept, left = [], Counter[str]()
    for record in records:
        place = record.track, record.task
        if home := "" if place in mine else homes.get(place, years):
            left[home] += 1
        else:
            kept.append(record)
    return kept, [
        f"{counted(count, 'record')} of tasks of the suite {name} "
        f"{'are' if count > 1 else 'is'} on its own board: bench leaderboard --suite {name}"
        for name, count in sorted(left.items())
    ]


def _tasks(suite: Suite) -> set[tuple[str, str]]:
    return {(track, task.task) for track, found in suite.tracks.items() for task in found.tasks}


def _newest(suite: Suite) -> list[Suite]:
    """Return the newest built-in suite of every other series, those of the years last: what two
    series declare is theirs.
    """
    files = suite_files()
    newest = {series(name): files[name] for name in sorted(files, key=age)}
    return [
        read_suite(file)
        for kind, file in sorted(newest.items(), reverse=True)
        if kind != series(suite.name)
    ]
