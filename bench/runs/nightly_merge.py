"""What machines did of nights, carried from one results folder to another,
and what of a board is from a night.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import msgspec

from bench.files import put_or_say
from bench.runs.nightly import TIERS, Part
from bench.runs.proofs import carry_proofs
from bench.runs.record import Record

_FOLDER = re.compile(rf"\d{{4}}-\d\d-\d\d-(?:{'|'.join(TIERS)})")
_FILE = re.compile(r"(\d{1,3})-of-(\d{1,3})(?:-[0-9a-f]{8})?\.json")
_LARGEST = 64 * 2**20


def carry(source: Path, target: Path, dry_run: bool) -> list[str]:
    """Add what machines did of their shares of nights to another folder, and return what there is
    to say.

    What is there already is left alone. Of one share that two machines did both are kept; what one
    machine did more since it was last carried takes the place of what it had done. Links, and what
    is no such document, are not read.

    Raises:
        EnvironmentFault: it can't be written.
    """
    said, carried = [], 0
    for path in sorted((source / "nights").glob("*/*-of-*.json")):
        if (
            not (_FOLDER.fullmatch(path.parent.name) and _FILE.fullmatch(path.name))
            or path.is_symlink()
            or path.parent.is_symlink()
            or not path.is_file()
        ):
            continue
        try:
            part = _decoded(path)
        except (OSError, msgspec.MsgspecError) as error:
            said.append(
                f"{path} is left out: it can't be read as a machine's share of a night ({error})."
            )
            continue
        place = _place(target / "nights" / path.parent.name, path, part)
        if place is None:
            continue
        carried += 1
        if not dry_run:
            put_or_say(place, path.read_bytes(), "name another folder with --results")
    if proofs := carry_proofs(source, target, dry_run):
        said.append(
            f"{'would carry' if dry_run else 'carried'} {proofs} proofs and withdrawals of "
            "renewals."
        )
    return (
        [
            (
                f"{'would carry' if dry_run else 'carried'} what {carried} "
                f"machine{'s' if carried > 1 else ''} did of nights."
            ),
            *said,
        ]
        if carried
        else said
    )


def _place(folder: Path, path: Path, part: Part) -> Path | None:
    """Return where a part belongs; None: it is there already, or more of the same machine is."""
    mine = _name(path)
    for known in sorted(folder.glob("*-of-*.json")):
        if known.is_symlink() or not _FILE.fullmatch(known.name) or _name(known) != mine:
            continue
        try:
            there = _decoded(known)
        except (OSError, msgspec.MsgspecError):
            continue
        if there == part:
            return None
        if part.id and there.id == part.id:  # a machine only ever does more of its share
            return (
                known
                if (part.seconds, part.ran, len(part.checks))
                > (there.seconds, there.ran, len(there.checks))
                else None
            )
    plain = folder / f"{mine[0]}-of-{mine[1]}.json"
    if not plain.exists():
        return plain
    digest = blake2b(part.id.encode() or msgspec.json.encode(part), digest_size=4).hexdigest()
    return folder / f"{mine[0]}-of-{mine[1]}-{digest}.json"


def _name(path: Path) -> tuple[str, str]:
    found = _FILE.fullmatch(path.name)
    return (found[1], found[2]) if found else ("", "")


def _decoded(path: Path) -> Part:
    if path.stat().st_size > _LARGEST:
        raise OSError(f"it has more than {_LARGEST} bytes")
    return msgspec.json.decode(path.read_bytes(), type=Part)


def from_tonight(
    records: Sequence[Record], parts: Sequence[Part], complete: bool, night: str
) -> int:
    """Return how many records are of a night: those whose key one of its machines ran.

    Where a machine has not said what it ran (its records came alone, as an export), those count too
    that began on the night's day or later.

    Args:
        records: what is recorded of the night's cells.
        parts: what its machines did.
        complete: whether every share of the night has one.
        night: its date.
    """
    keys = {key for part in parts for key in part.keys}
    told = complete and all(part.keys or not part.ran for part in parts)
    return sum(
        record.key in keys or (not told and record.started[:10] >= night) for record in records
    )


def complete(root: Path, night: str, tier: str) -> bool:
    """Say whether every share that a night was cut into has a part here."""
    found: dict[str, set[str]] = {}
    for path in (root / "nights" / f"{night}-{tier}").glob("*-of-*.json"):
        number, count = _name(path)
        found.setdefault(count, set()).add(number)
    return any(count and len(numbers) == int(count) for count, numbers in found.items())
