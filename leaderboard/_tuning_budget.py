"""Where parameters come from, and the records of the board at an equal tuning budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from bench.cards import MethodCard, TaskCard
from bench.digests import digest
from bench.runs.record import Record

from ._class_notes import OTHER_CLASS
from ._commands import bench_run
from ._suite_file import Suite
from ._text import counted


def parameters_from(card: MethodCard | None, record: Record | None) -> str:
    """Say where the parameters of a row come from: ``paper``, ``here, 12 tried``, ``tuned, 8
    tried``, ``given``, ``not stated``; empty: it has no card.
    """
    if record is not None and record.tuning:
        return f"tuned, {trials_of(record.tuning)} tried"
    if record is not None and record.custom and "[" not in record.variant:
        return "given"
    if card is None:
        return ""
    if card.defaults_from != "here":
        return card.defaults_from or "not stated"
    return f"here, {'not counted' if card.trials is None else f'{card.trials} tried'}"


def trials_of(tuning: Mapping[str, Any]) -> int:
    """Return how many settings were tried."""
    tried = tuning.get("trials")
    return len(tried) if isinstance(tried, list) else 0


def within(tuning: Mapping[str, Any], budget: int) -> bool:
    """Say whether a choice spent a budget: that many of the settings of the method's card, or all
    of them where there are fewer.
    """
    space, tried = tuning.get("space", budget), trials_of(tuning)
    return isinstance(space, int) and tried > 0 and tried == min(budget, space)


def at_budget(
    records: Iterable[Record],
    suite: Suite,
    tasks: Mapping[str, TaskCard],
    methods: Mapping[str, MethodCard],
) -> tuple[list[Record], list[str]]:
    """Return the records that the board at an equal tuning budget compares, in the tracks that have
    one, and what is to be said of others.

    A method whose card has a space for ``--tune`` stands with the parameters chosen within exactly
    the budget, on tasks with a validation score. Anchors and other references, methods without a
    space, and all methods on tasks without such a score, stand with their defaults.
    """
    found, chosen = [], []
    for record in records:
        if record.track not in suite.tracks:
            continue
        card, task = methods.get(f"{record.track}/{record.method}"), tasks.get(record.identity)
        tuned = bool(card and card.tuning and task and task.tuning) and not record.reference
        if tuned and record.tuning and within(record.tuning, suite.budget):
            chosen.append(msgspec.structs.replace(record, custom=False))  # by rule, so ranked here
        elif not tuned and not record.tuning:
            found.append(record)
    newest, notes = _newest_choice(chosen)
    return [*found, *newest], notes


def _newest_choice(records: Iterable[Record]) -> tuple[list[Record], list[str]]:
    """Return the tuned records without those of a choice that a newer one replaced, by the time of
    its last record, and say which were replaced.
    """
    choices: dict[tuple[Any, ...], dict[str, list[Record]]] = {}
    for record in records:
        name = digest(
            [record.identity, record.preset, record.variant, record.device, record.task_params]
        )
        where = (record.track, record.task, record.variant, record.method, name)
        choices.setdefault(where, {}).setdefault(record.group, []).append(record)
    kept, notes = [], []
    for (_, task, variant, method, _), groups in sorted(choices.items()):
        newest = max(groups, key=lambda group: (max(r.ended for r in groups[group]), group))
        kept += groups[newest]
        if others := sum(len(group) for name, group in groups.items() if name != newest):
            notes.append(
                f"{method} was tuned {'twice' if len(groups) == 2 else f'{len(groups)} times'} on "
                f"{task} {variant}: the newest choice counts, and {counted(others, 'record')} of "
                f"{'the older one' if len(groups) == 2 else 'older ones'} "
                f"{'are' if others > 1 else 'is'} not compared."
            )
    return kept, notes


def budget_notes(
    track: str,
    suite: Suite,
    tasks: Mapping[str, TaskCard],
    methods: Mapping[str, MethodCard],
    rows: Sequence[Mapping[str, Any]],
) -> list[str]:
    """Say who stands with defaults on the board at an equal tuning budget, and how to run what is
    missing; nothing on another board.
    """
    if not suite.budget:
        return []
    cards = {
        row["method"]: methods.get(f"{track}/{row['method']}")
        for row in rows
        if not row["reference"]
    }
    bare = sorted(name for name, card in cards.items() if card is not None and not card.tuning)
    blind = sorted(
        {
            task.task
            for task in suite.tracks[track].tasks
            if (card := tasks.get(f"{track}/{task.task}")) is not None and not card.tuning
        }
    )
    notes = [
        f"Parameters are chosen among {suite.budget} settings by each task's validation score; the "
        "baseline and the upper anchor stand with their defaults."
    ]
    if bare:
        notes.append(f"No space for --tune on the card, so with defaults: {', '.join(bare)}.")
    if blind:
        notes.append(f"No validation score, so all methods with defaults: {', '.join(blind)}.")
    lacking = {
        row["method"]: row["why"]
        for row in rows
        if row["provisional"] and (card := cards.get(row["method"])) is not None and card.tuning
    }
    if lacking:
        apart = any(OTHER_CLASS in why for why in lacking.values())
        where = "on the class of machine of the others, run" if apart else "run"
        command = bench_run(
            [
                ("--track", track),
                ("--method", ",".join(sorted(lacking))),
                ("--tune", suite.budget),
                ("--seeds", suite.seeds),
                ("--device", suite.device),
            ]
        )
        notes.append(
            f"{counted(len(lacking), 'method')} lack{'s' * (len(lacking) == 1)} tuned runs; "
            f"{where}: {command}"
        )
    return notes
