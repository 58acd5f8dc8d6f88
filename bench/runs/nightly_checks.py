"""Which recorded runs a night does again, and what becomes of a renewal that one contradicts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from pathlib import Path

from bench.cards import TaskCard
from bench.runs.alike import unlike
from bench.runs.nightly import Check, due
from bench.runs.proofs import withdraw
from bench.runs.record import Record
from bench.runs.replay import differing


def to_check(
    records: Sequence[Record], night: date, checked: Collection[str] = ()
) -> tuple[list[Record], list[Record]]:
    """Return which records a night runs again: renewed ones, which come first, and the others.

    Beside the night's seventh, renewed or not, that is one record of every renewal that no night
    has checked yet.

    Args:
        records: those that the night reuses on its class of machine.
        night: its date.
        checked: ids of the records that nights have checked before.
    """
    drawn = due(records, night)
    ids = {record.id for record in drawn} | set(checked)
    renewals: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.renewed is not None:
            renewals[record.renewed.proofs[-1]].append(record)
    first = [record for record in drawn if record.renewed is not None]
    first += [
        members[night.toordinal() % len(members)]
        for _, members in sorted(renewals.items())
        if not any(record.id in ids for record in members)
    ]
    return first, [record for record in drawn if record.renewed is None]


def check_of(before: Record, after: Record, card: TaskCard | None) -> Check:
    """Hold a run that was done again against its record; of a renewed one all that its proof held
    against each other.
    """
    differs = differing(before, after, card)
    other = [] if before.renewed is None else unlike(before, after, card)
    # a run that was killed says nothing of its figures
    told = after.status in ("ok", "failed", "invalid")
    return Check(
        record=before.id,
        label=f"{after.identity} {after.variant} {after.method} seed {after.seed}",
        same=after.status == "ok" and not differs and not other,
        differs=differs,
        other=[name for name in other if name not in differs],
        renewal=before.renewed.proofs if before.renewed and told else [],
    )


def withdrawn(root: Path, checks: Iterable[Check], night: str) -> list[str]:
    """Withdraw the renewals that checks contradict, and return what there is to say.

    Raises:
        EnvironmentFault: that can't be written.
    """
    said = []
    for check in checks:
        if check.same or not check.renewal:
            continue
        names = [*check.differs, *check.other] or ["its status"]
        if withdraw(root, check.renewal, check.record, names, night):
            said.append(
                f"the renewed record {check.record} ({check.label}) came out different "
                f"({', '.join(names[:4])}): its renewal is withdrawn, and none of the records that "
                "rest on it counts any more."
            )
    return said
