"""The part of a night that runs recorded cells again and compares bit for bit."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli._options import warn

if TYPE_CHECKING:
    from bench.cli._session import Session
    from bench.runs.nightly import Check
    from bench.runs.plan import Cell
    from bench.runs.record import Record


def check_again(
    session: Session,
    cells: Sequence[Cell],
    records: Sequence[Record],
    night: date,
    tier: str,
    done: Sequence[Check],
) -> list[Check]:
    """Check what a night reuses, renewed records first, and withdraw renewals that turn out wrong.

    Args:
        session: the machine at hand.
        cells: of the share of this machine.
        records: those that it reuses and that are of its class.
        night: its date.
        tier: its tier, whose earlier nights say what was checked before.
        done: what this share has checked already, before it was cut off.
    """
    from bench.runs.nightly_checks import to_check, withdrawn
    from bench.runs.nightly_files import read_nights

    root, tonight = session.store.root, {check.record for check in done}
    nights = read_nights(root, tier, night.isoformat())
    known = {check.record for before in nights for check in before.checks} | tonight
    found = []
    for part in to_check(records, night, known):
        checks = _checked(session, cells, [record for record in part if record.id not in tonight])
        for sentence in withdrawn(root, checks, night.isoformat()):
            warn(sentence)
        found += checks
    return found


def _checked(session: Session, cells: Sequence[Cell], old: Sequence[Record]) -> list[Check]:
    """Run recorded cells again into a store that is thrown away, and compare."""
    from bench.runs.nightly_checks import check_of
    from bench.runs.plan import Plan
    from bench.runs.store import Store

    if not old:
        return []
    known, cards = {record.cell: record for record in old}, session.registry.cards()
    places = session.store.places() if any(record.renewed for record in old) else {}
    found = []
    with tempfile.TemporaryDirectory(prefix="bench-check-") as folder:
        again = session.driver_of(Store(Path(folder)))
        again.store.open_for_writing()
        _, todo = again.split(Plan([cell for cell in cells if cell.spec.cell in known], []))
        for record in session.run(again, todo):
            before = known[record.cell]
            if before.renewed is not None:  # its curve counts too
                before = session.store.load(places[before.id])
            found.append(check_of(before, record, cards.get(record.identity)))
    return found
