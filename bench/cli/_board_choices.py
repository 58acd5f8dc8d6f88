"""Which tasks and methods a board is asked for: names of records, else of what is installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli._options import split_names
from bench.errors import NothingSelected

if TYPE_CHECKING:
    from bench.plugins.registry import Registry
    from bench.runs.record import Brief


def chosen_tasks(
    registry: Registry, records: list[Brief], tasks: tuple[str, ...], track: str | None
) -> list[str]:
    """Return the tasks that were named: those of the records, else those that are installed.

    Raises:
        UsageError: a name is of neither.
    """
    return _chosen(registry, "task", tasks, {record.identity for record in records}, track)


def chosen_methods(
    registry: Registry,
    records: list[Brief],
    methods: tuple[str, ...],
    track: str | None,
    folder: Path,
) -> list[str]:
    """Return the methods that were named: those of the records, else those that are installed.

    Raises:
        UsageError: a name is of neither. NothingSelected: none of them ever ran.
    """
    mine = [record for record in records if track in (None, record.track)]
    recorded = {name for record in mine for name in record.method_names}
    found = _chosen(registry, "method", methods, recorded, track)
    if found and recorded.isdisjoint(found):
        raise NothingSelected(
            f"no record of {', '.join(methods)} is in {str(folder)!r}; run 'bench run --method "
            f"{found[0]} --task ...' first, or name another method."
        )
    return found


def _chosen(
    registry: Registry, kind: str, names: tuple[str, ...], recorded: set[str], track: str | None
) -> list[str]:
    """Return the names that are recorded as they are, and what the others select."""
    return [
        identity
        for name in split_names(names)
        for identity in (
            [name]
            if name in recorded
            else [entry.identity for entry in registry.select(kind, name, track, f"--{kind}")]
        )
    ]
