"""Which cells of a plan run now: by what their records say, and by what fits a budget of time.

What is left out is always said.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from bench.errors import UsageError, near
from bench.params import render_call
from bench.runs.keys import Keyed
from bench.runs.plan import Cell, NotRun

STATUSES = {
    "missing": "has no record",
    "failed": "has a record that is not ok",
    "stale": "has records of other code or libraries alone",
}
"""Why a cell would run: exactly one of these holds."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_only(names: Iterable[str]) -> tuple[str, ...]:
    """Check the names given to ``--only``.

    Raises:
        UsageError: one is unknown.
    """
    chosen = tuple(names)
    for name in chosen:
        if name not in STATUSES:
            raise UsageError(
                f"--only got {name!r}.{near(name, STATUSES)} It takes {', '.join(STATUSES)}, or "
                "several of them."
            )
    return chosen


def parse_budget(text: str) -> float:
    """Read ``90s``, ``30m``, ``2h``, ``1h30m`` or ``1d`` and return seconds.

    Raises:
        UsageError: it is no such time, or none at all.
    """
    parts = re.findall(r"(\d{1,9}(?:\.\d{1,9})?)([smhd])", text.strip())
    if (
        not parts
        or "".join(f"{number}{unit}" for number, unit in parts) != text.strip()
        or not (seconds := sum(float(number) * _UNITS[unit] for number, unit in parts))
    ):
        raise UsageError(f"--budget got {text!r}; give a time like 90s, 30m, 2h or 1h30m.")
    return seconds


def only(
    todo: Sequence[Keyed], statuses: Mapping[str, str], wanted: Collection[str]
) -> tuple[list[Keyed], list[NotRun]]:
    """Return the cells whose status is wanted, and the others by group.

    Args:
        todo: cells that have no ``ok`` record of their key.
        statuses: key -> one of :data:`STATUSES`.
        wanted: some of :data:`STATUSES`; empty: all.
    """
    chosen = [keyed for keyed in todo if not wanted or statuses[keyed.key] in wanted]
    taken = {keyed.key for keyed in chosen}
    left = [keyed for keyed in todo if keyed.key not in taken]
    found = []
    for status, sentence in STATUSES.items():
        cells = [keyed.cell for keyed in left if statuses[keyed.key] == status]
        found += _left(
            cells,
            "not_selected",
            lambda cells, sentence=sentence: (  # type: ignore[misc]
                f"{_seeds(cells)} {sentence}, and --only asks for {', '.join(wanted)}"
            ),
        )
    return chosen, found


def within(
    todo: Sequence[Keyed],
    started: Collection[str],
    expected: Callable[[Cell], float],
    budget: float,
    jobs: int,
) -> tuple[list[Keyed], list[NotRun]]:
    """Return what fits a budget, the most valuable first, and the rest by group.

    A row of a board is worth most when it is complete. So seeds that complete a group which has
    some come first, the group that lacks least before others; then new groups, seed by seed through
    all of them, the null reference before the others and quick ones before slow ones. A cell that
    no longer fits is passed over for smaller ones.

    Args:
        todo: the cells that could run, in the order of the plan.
        started: groups of which a cell is ``ok`` already.
        expected: the seconds to expect of a cell.
        budget: seconds by the clock.
        jobs: runs at a time; the budget is spent ``jobs`` times as quickly.
    """
    groups: dict[str, list[Keyed]] = defaultdict(list)
    for keyed in todo:
        groups[keyed.cell.spec.group].append(keyed)
    seconds = {keyed.key: expected(keyed.cell) for keyed in todo}

    def value(keyed: Keyed) -> tuple[float, ...]:
        group = groups[keyed.cell.spec.group]
        if keyed.cell.spec.group in started:
            return (0, len(group), sum(seconds[other.key] for other in group))
        return (1, group.index(keyed), keyed.cell.reference != "low", seconds[keyed.key])

    left, chosen = budget * jobs, set()
    for keyed in sorted(todo, key=value):
        if seconds[keyed.key] <= min(left, budget):
            left -= seconds[keyed.key]
            chosen.add(keyed.key)

    def reason(cells: Sequence[Cell]) -> str:
        return (
            f"{_seeds(cells)} would take about {spoken(expected(cells[0]))} each, which no "
            f"longer fits the budget of {spoken(budget)}"
        )

    rest = [keyed.cell for keyed in todo if keyed.key not in chosen]
    return [keyed for keyed in todo if keyed.key in chosen], _left(rest, "over_budget", reason)


def _left(
    cells: Sequence[Cell], status: str, reason: Callable[[Sequence[Cell]], str]
) -> list[NotRun]:
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.spec.group].append(cell)
    return [
        NotRun(
            track=group[0].spec.track,
            method=group[0].spec.method,
            task=group[0].spec.task,
            status=status,
            reason=reason(group),
        )
        for group in groups.values()
    ]


def _seeds(cells: Sequence[Cell]) -> str:
    spec, seeds = cells[0].spec, [cell.spec.seed for cell in cells]
    call = f" of {render_call(spec.method, spec.params)}" if cells[0].custom and spec.params else ""
    return (
        f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))} of variant "
        f"{spec.variant}{call}"
    )


def spoken(seconds: float) -> str:
    """Return a time in words: ``90 s``, ``12.3 min``, ``2.5 h``."""
    return (
        f"{seconds:.3g} s"
        if seconds < 120
        else f"{seconds / 60:.3g} min"
        if seconds < 7200
        else f"{seconds / 3600:.3g} h"
    )
