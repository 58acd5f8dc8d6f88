"""Which records a board is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.cards import TaskCard
from bench.runs.record import Record


def select(records: Sequence[Record], options: Mapping[str, Any]) -> list[Record]:
    """Return the records that the options choose.

    The low references stay whatever the methods: the baseline is on every board.
    """
    track, tasks, preset = (options.get(name) for name in ("track", "tasks", "preset"))
    methods = frozenset(options.get("methods") or ())

    def chosen(record: Record) -> bool:
        return (
            (not track or record.track == track)
            and (not tasks or record.identity in tasks)
            and (not preset or record.preset == preset)
            and (
                not methods
                or record.reference == "low"
                or not methods.isdisjoint(record.method_names)
            )
        )

    return [record for record in records if chosen(record)]


def is_trial(record: Record, card: TaskCard | None) -> bool:
    """Say whether a record is a trial of ``--tune``: its figures are of held-out training data."""
    return bool(card and card.tuning) and all(
        record.task_params.get(name) == value for name, value in card.tuning.items()
    )  # type: ignore[union-attr]
