"""Adding records to a folder of results, and what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.cli._options import (
    number,
    open_registry,
    warn,
)
from bench.errors import NothingSelected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.runs.store import Store
    from bench.runs.transfer import Incoming


_SHOWN = 5


def add_records(
    store: Store,
    incoming: Callable[[], Iterator[Incoming]],
    dry_run: bool,
    plugins: tuple[str, ...],
) -> None:
    """Add records, and say what came of it."""
    from bench.runs.figures import disagreements
    from bench.runs.transfer import merge

    cards = open_registry(plugins).cards()

    def differing() -> list[tuple[str, str, str]]:
        return [
            (one.id, other.id, name) for one, other, name in disagreements(store.briefs(), cards)
        ]

    before = set(differing())
    merged = merge(store, incoming, dry_run)
    if not merged.added + merged.known:
        raise NothingSelected("there is no record to add; 'bench results export' writes some.")
    would = "would be" if dry_run else "are" if len(merged.renumbered) > 1 else "is"
    warn(
        f"{'would add' if dry_run else 'added'} {number(merged.added, 'record')} to "
        f"{str(store.root)!r}; "
        f"{merged.known} {'is' if merged.known == 1 else 'are'} there already."
    )
    if merged.renumbered:
        names = "; ".join(f"{old} is {new}" for old, new in merged.renumbered[:_SHOWN])
        more = (
            f"; and {len(merged.renumbered) - _SHOWN} more"
            if len(merged.renumbered) > _SHOWN
            else ""
        )
        warn(
            f"{len(merged.renumbered)} of them {would} kept under the next free attempt, since a "
            f"record that differs has their id: {names}{more}."
        )
    new = [] if dry_run else [found for found in differing() if found not in before]
    for one, other, name in new[:_SHOWN]:
        warn(
            f"{one} and {other} have one key and differ in {name}: same key should be same "
            "number. Both are kept; 'bench reproduce' tells which one holds."
        )
    if len(new) > _SHOWN:
        warn(f"{len(new) - _SHOWN} more pairs differ so.")
