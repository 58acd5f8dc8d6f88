"""Two methods side by side: paired differences on the primary metric, one row a table."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from bench.cards import Metric
from bench.params import split_call
from bench.runs.record import Record

from ._classes import Classes, ComparedRuns, chosen_classes, compared_runs
from ._commands import bench_run, run_beside
from ._method_calls import MethodCall
from ._ranks import SIGNS, difference_of
from ._rows import Entrant, differing, entrants, figure
from ._statistics import ALPHA, Paired, holm_array, mean, paired, sample_sd


@dataclass(frozen=True)
class _Meeting:
    """Both methods in one table, with at least one common seed."""

    ours: Entrant
    theirs: Entrant
    primary: Metric
    result: Paired
    classes: str
    """Those in which they meet."""


def comparison(
    groups: Sequence[tuple[list[Record], Metric]],
    a: str,
    b: str,
    stale: Collection[str],
    runs: ComparedRuns,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Compare ``a`` and ``b`` in every table, at the seeds that both have in one class of machine.

    Args:
        groups: all records of each table, with its primary metric.
        a: ``name`` or ``name[param=value]``.
        b: the other one.
        stale: ids of records whose key is no longer the live one.
        runs: what a board of all records compares: of several classes that both have, its class
            is taken.

    Returns:
        The rows and the notes.

    Raises:
        ParameterError: ``a`` or ``b`` is malformed.
    """
    calls = [MethodCall(text, *split_call(text)) for text in (a, b)]
    meetings: list[_Meeting] = []
    notes: list[str] = []
    classes = runs.classes
    prefer = chosen_classes(runs)
    for records, primary in groups:
        mine = compared_runs(
            [record for record in records if any(_fits(call, record) for call in calls)],
            stale,
            prefer,
        )
        members = entrants(mine.records, primary.name, mine.aside)
        ours, theirs = (_find(members, call, stale, notes) for call in calls)
        if ours is None or theirs is None:
            continue
        if ours is theirs:
            notes.append(f"In {_where(ours)} {a} and {b} are the same runs.")
        notes.extend(_lonely_seeds(ours, theirs, a, b))
        result = paired(ours.values, theirs.values, SIGNS.get(primary.direction, 1))
        if result is not None:
            meetings.append(
                _Meeting(
                    ours,
                    theirs,
                    primary,
                    result,
                    classes.named(record for record in ours.ok if record.seed in theirs.values),
                )
            )
            notes.extend(_warnings(meetings[-1], stale))
    if not meetings:
        notes.append(
            _nothing(
                [record for records, _ in groups for record in records if record.status == "ok"],
                calls[0],
                calls[1],
                classes,
            )
        )
        return [], notes
    import numpy as np

    adjusted, levels = holm_array(
        np.array(
            [math.nan if meeting.result.p is None else meeting.result.p for meeting in meetings]
        )
    )
    return [
        _row(meeting, None if math.isnan(p) else p, level)
        for meeting, p, level in zip(meetings, adjusted.tolist(), levels.tolist(), strict=True)
    ], notes


def _find(
    members: Sequence[Entrant], call: MethodCall, stale: Collection[str], notes: list[str]
) -> Entrant | None:
    """Return the row that ``call`` names; of several the live and newest one, and say so."""
    fitting = sorted(
        (member for member in members if _fits(call, member.first)),
        key=lambda member: (
            member.first.id not in stale,
            max(record.ended for record in member.everything),
            member.label,
        ),
    )
    if len(fitting) > 1:
        labels = ", ".join(sorted(member.label for member in fitting))
        notes.append(
            f"Several rows of {_where(fitting[0])} are {call.text}: {labels}. The newest, "
            f"{fitting[-1].label}, is compared."
        )
    return fitting[-1] if fitting else None


def _where(member: Entrant) -> str:
    record = member.first
    return f"{record.identity} {record.preset} {record.variant} {record.device}"


def _lonely_seeds(ours: Entrant, theirs: Entrant, a: str, b: str) -> list[str]:
    notes = []
    apart = sorted(
        record.seed for member in (ours, theirs) for record in member.aside if record.status == "ok"
    )
    if apart:
        notes.append(
            f"In {_where(ours)} seed{'s' if len(apart) > 1 else ''} {', '.join(map(str, apart))} "
            f"{'are' if len(apart) > 1 else 'is'} not compared: {a} and {b} ran there on different "
            "classes of machines."
        )
    for call, member, other in ((a, ours, theirs), (b, theirs, ours)):
        lonely = sorted(member.values.keys() - other.values.keys() - set(apart))
        if lonely:
            notes.append(
                f"In {_where(member)} only {call} has seed{'s' if len(lonely) > 1 else ''} "
                f"{', '.join(map(str, lonely))}."
            )
    return notes


def _warnings(meeting: _Meeting, stale: Collection[str]) -> list[str]:
    ours, theirs, where = meeting.ours.ok, meeting.theirs.ok, _where(meeting.ours)
    notes = []
    if meeting.primary.direction not in SIGNS:
        notes.append(f"In {where} {meeting.primary.name!r} has no direction, so neither is better.")
    names = {
        *differing([*ours, *theirs]),
        *differing(ours, code=True),
        *differing(theirs, code=True),
    }
    if names:
        notes.append(
            f"In {where} the runs were computed with different {', '.join(sorted(names))}."
        )
    if any(record.id in stale for record in (*ours, *theirs)):
        notes.append(
            f"In {where} some of the runs are stale; run them again to compare what is installed "
            "now."
        )
    return notes


def _row(meeting: _Meeting, p_holm: float | None, level: float) -> dict[str, Any]:
    record, common = (
        meeting.ours.first,
        sorted(meeting.ours.values.keys() & meeting.theirs.values.keys()),
    )
    found = difference_of(meeting.result, p_holm)
    return {
        "track": record.track,
        "task": record.task,
        "preset": record.preset,
        "variant": record.variant,
        "device": record.device,
        "class": meeting.classes,
        "n": len(common),
        "a_mean": figure(mean([meeting.ours.values[seed] for seed in common])),
        "b_mean": figure(mean([meeting.theirs.values[seed] for seed in common])),
        "difference": found["mean"],
        "low": found["low"],
        "high": found["high"],
        "p": found["p"],
        "p_holm": p_holm,
        "verdict": (verdict := _verdict(meeting, p_holm)),
        "leans": _leans(meeting) if verdict == "undecided" else "",
        "seeds_needed": _seeds_needed(meeting, level) if verdict == "undecided" else None,
    }


def _leans(meeting: _Meeting) -> str:
    """Say to which side an undecided difference leans: its own interval excludes 0."""
    low, high = meeting.result.low, meeting.result.high
    if low is None or high is None or meeting.primary.direction not in SIGNS:
        return ""
    return "+" if low > 0 else "-" if high < 0 else ""


def _seeds_needed(meeting: _Meeting, level: float) -> int | str | None:
    """Say how many seeds would decide a pair; its difference is shrunk by
    its own noise, as in :func:`._power.seeds_needed`.
    """
    from ._power import MOST, seeds_for

    differences = [
        meeting.ours.values[seed] - meeting.theirs.values[seed]
        for seed in sorted(meeting.ours.values.keys() & meeting.theirs.values.keys())
    ]
    spread, size, run = sample_sd(differences), abs(meeting.result.mean), len(differences)
    if (
        meeting.primary.direction not in SIGNS
        or meeting.result.low is None  # equal differences have no spread, whatever rounding leaves
        or not spread
        or not size
        or not math.isfinite(spread)
        or not math.isfinite(size)
    ):
        return None
    away = max(0.0, 1 - (spread / size) ** 2 / run) * size / spread
    import numpy as np

    found = int(seeds_for(np.array([away]), np.array([level]), run, 1.0)[0])
    return found if found <= MOST else f"over {MOST}"


def _verdict(meeting: _Meeting, p_holm: float | None) -> str:
    if meeting.result.same:
        return "equal"
    if meeting.primary.direction not in SIGNS or p_holm is None or p_holm >= ALPHA:
        return "undecided"
    return "better" if meeting.result.mean > 0 else "worse"


def _fits(call: MethodCall, record: Record) -> bool:
    """Tell whether a record is of the method that was named: at its defaults, at the parameters
    given, or, on a task with parameters of its own, where every record is custom, at any.
    """
    return call.fits(record) or (
        not call.given and "[" in record.variant and call.name in record.method_names
    )


def _place(record: Record) -> tuple[Any, ...]:
    return (record.identity, record.preset, record.variant, record.device, record.seed)


def _nothing(ok: Sequence[Record], a: MethodCall, b: MethodCall, classes: Classes) -> str:
    """Say what to run where the two have nothing in common: the lacking
    one on a task of the other, if there is any.
    """
    for here, lacking in ((a, b), (b, a)):
        have = [record for record in ok if _fits(here, record)]
        theirs = {_place(record) for record in ok if _fits(lacking, record)}
        apart = [record for record in have if _place(record) in theirs]
        if have:
            first, seeds = (apart or have)[0], {record.seed for record in apart or have}
            command = run_beside(first, lacking.text, f"{min(seeds)}-{max(seeds)}")
            if apart:
                wanted = classes.named(apart)
                return (
                    f"{a.text} and {b.text} ran on different classes of machines; run, on a "
                    f"machine of {wanted}: {command}"
                )
            return f"No seed of a task is common to {a.text} and {b.text}; run: {command}"
    command = bench_run([("--method", a.text), ("--method", b.text), ("--task", "TASK")])
    return f"Neither {a.text} nor {b.text} has a run that succeeded; run: {command}"
