"""Where parameters come from, and the records of the board at an equal tuning budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from bench.cards import MethodCard, TaskCard
from bench.runs.record import Record

from ._classes import ELSEWHERE
from ._suite import Suite
from ._text import some


def origin(card: MethodCard | None, record: Record | None) -> str:
    """Say where the parameters of a row come from: ``paper``, ``here, 12 tried``, ``tuned, 8 tried``, ``given``, ``not stated``; empty: it has no card."""
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
    """Say whether a choice spent a budget: that many of the settings of the method's card, or all of them where there are fewer."""
    space, tried = tuning.get("space", budget), trials_of(tuning)
    return isinstance(space, int) and tried > 0 and tried == min(budget, space)


def at_budget(records: Iterable[Record], suite: Suite, tasks: Mapping[str, TaskCard], methods: Mapping[str, MethodCard]) -> list[Record]:
    """Return the records that the board at an equal tuning budget compares, in the tracks that have one.

    A method whose card has a space for ``--tune`` stands with the parameters chosen within exactly the budget, on tasks with a validation
    score. Anchors and other references, methods without a space, and all methods on tasks without such a score, stand with their defaults.
    """
    found = []
    for record in records:
        if record.track not in suite.tracks:
            continue
        card, task = methods.get(f"{record.track}/{record.method}"), tasks.get(record.identity)
        tuned = bool(card and card.tuning and task and task.tuning) and not record.reference
        if tuned and record.tuning and within(record.tuning, suite.budget):
            found.append(msgspec.structs.replace(record, custom=False))  # chosen by rule, so ranked here
        elif not tuned and not record.tuning:
            found.append(record)
    return found


def budget_notes(track: str, suite: Suite, tasks: Mapping[str, TaskCard], methods: Mapping[str, MethodCard], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say who stands with defaults on the board at an equal tuning budget, and how to run what is missing; nothing on another board."""
    if not suite.budget:
        return []
    cards = {row["method"]: methods.get(f"{track}/{row['method']}") for row in rows if not row["reference"]}
    bare = sorted(name for name, card in cards.items() if card is not None and not card.tuning)
    blind = sorted({task.task for task in suite.tracks[track].tasks if (card := tasks.get(f"{track}/{task.task}")) is not None and not card.tuning})
    notes = [f"Parameters are chosen among {suite.budget} settings by each task's validation score; the null and the upper anchor stand with their defaults."]
    notes += [f"No space for --tune on the card, so with defaults: {', '.join(bare)}."] if bare else []
    notes += [f"No validation score, so all methods with defaults: {', '.join(blind)}."] if blind else []
    lacking = {row["method"]: row["why"] for row in rows if row["provisional"] and (card := cards.get(row["method"])) is not None and card.tuning}
    if lacking:
        where = "on the class of machine of the others, run" if any(ELSEWHERE in why for why in lacking.values()) else "run"
        notes.append(
            f"{some(len(lacking), 'method')} lack{'s' * (len(lacking) == 1)} tuned runs; {where}: "
            f"bench run --track {track} --method {','.join(sorted(lacking))} --tune {suite.budget} --seeds {suite.seeds} --device {suite.device}"
        )
    return notes
