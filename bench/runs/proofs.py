"""What renewals rest on, kept in the results folder: proofs that two versions of code give the same
numbers, and which of them a later run contradicted.

``renewals/<proof>.json`` is a proof; ``renewals/<change>.withdrawn.json`` says that what was
renewed by a change no longer counts. A *change* is a method on a task with its old and its new
code; a proof is of one change on one class of machine.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec

from bench.digests import digest
from bench.files import put_or_say
from bench.runs.renewal_note import changed_since
from bench.runs.renewed import Claim, named, refused

if TYPE_CHECKING:
    from bench.runs.record import Brief

_CHANGE = re.compile(r"[0-9a-f]{16}")
_FILE = re.compile(r"[0-9a-f]{16}(-[0-9a-f]{8}|\.withdrawn)\.json")
_LARGEST = 2**20


class Proof(msgspec.Struct, kw_only=True):
    """What came of holding a sample of new code against the old one on one machine."""

    schema_version: Literal[1] = 1
    change: str
    track: str
    task: str
    preset: str
    method: str
    machine: dict[str, Any]
    """Its class: ``cpu_class`` and ``kernels``."""
    old: dict[str, str]
    """Which commit the old code is of: name of the tree -> commit; empty: it did not run."""
    against: Literal["code", "records"] = "code"
    """What the new code was held against: the old code, or what that code had recorded on this
    class of machine.
    """
    sample: list[str]
    """The runs, like ``sym40 seed 3``."""
    differs: dict[str, list[str]]
    """Run -> what of it differs between old and new code; empty: all is the same."""
    seconds: float = 0.0
    """What the runs of the sample took, of all versions that ran."""

    @property
    def name(self) -> str:
        """What renewed records call it."""
        return name_of(self.change, self.machine)


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """That a renewed record was run again and did not come out the same."""

    schema_version: Literal[1] = 1
    change: str
    record: str
    differs: list[str]
    night: str


_Document = TypeVar("_Document", Proof, Withdrawal)


def change_of(pair: Any, old: Any, new: Any) -> str:
    """Return the name of a change of code that a pair of method and task saw."""
    return digest([pair, old, new], size=8)


def name_of(change: str, machine: Mapping[str, Any]) -> str:
    """Return the name of a proof of a change on a class of machine."""
    # it asks libraries, which reading records need not
    from bench.runs.machine_classes import class_of

    return f"{change}-{class_of(machine)[:8]}"


def read_proof(root: Path, name: str) -> Proof | None:
    """Return a proof that was made before; None: there is none that can be read."""
    return _read(root / "renewals" / f"{name}.json", Proof)


def write_proof(root: Path, proof: Proof) -> None:
    """Keep a proof.

    Raises:
        EnvironmentFault: it can't be written.
    """
    _write(root / "renewals" / f"{proof.name}.json", proof)


def withdrawals(root: Path) -> dict[str, Withdrawal]:
    """Return what was withdrawn: change -> why. One that can't be read withdraws all the same."""
    found = {}
    for path in sorted((root / "renewals").glob("*.withdrawn.json")):
        change = path.name.partition(".")[0]
        if _CHANGE.fullmatch(change):
            found[change] = _read(path, Withdrawal) or Withdrawal(
                change=change, record="a record", differs=["what can't be read"], night="unknown"
            )
    return found


def withdraw(root: Path, proofs: Iterable[str], record: str, differs: list[str], night: str) -> int:
    """Withdraw every change on which a renewed record rests, and return how many were not yet.

    Which of several changes is to blame, one run can't tell.

    Raises:
        EnvironmentFault: it can't be written.
    """
    known, count = withdrawals(root), 0
    for change in changes_of(proofs):
        if change not in known:
            count += 1
            said = Withdrawal(change=change, record=record, differs=differs, night=night)
            _write(root / "renewals" / f"{change}.withdrawn.json", said)
    return count


def changes_of(proofs: Iterable[str]) -> list[str]:
    """Return the changes that proofs are of."""
    return list(dict.fromkeys(name.partition("-")[0] for name in proofs))


def why_withdrawn(proofs: Iterable[str], known: Mapping[str, Withdrawal]) -> str:
    """Say why a record that rests on proofs no longer counts; empty: it counts."""
    found = next((known[change] for change in changes_of(proofs) if change in known), None)
    if found is None:
        return ""
    return (
        f"the renewal was withdrawn in the night of {found.night}, since {found.record} came out "
        f"different when it was run again ({', '.join(found.differs[:5])})"
    )


def set_aside(
    root: Path,
    briefs: Iterable[Brief],
    carried: Callable[[Sequence[Brief]], Mapping[str, str]],
) -> tuple[dict[str, tuple[Brief, str]], dict[str, str]]:
    """Return which renewed records no longer count, and why (id -> brief, sentence), and those that
    are not what their run recorded (id -> sentence).

    ``carried`` returns the digests of what renewals carry over from runs, by content, of those that
    can be read: it is asked once, for the runs that renewed records name.
    """
    briefs = list(briefs)
    renewed = [(brief, brief.renewed) for brief in briefs if brief.renewed is not None]
    if not renewed:
        return {}, {}
    known = withdrawals(root)
    gone = {
        brief.id: (brief, why)
        for brief, said in renewed
        if (why := why_withdrawn(said.proofs, known))
    }
    runs = named(briefs)
    digests = carried(runs)
    claims = [Claim(brief.id, lambda: "", brief.renewed) for brief, _ in renewed]
    claims += [
        Claim(run.id, functools.partial(digests.__getitem__, run.content), None)
        for run in runs
        if run.content in digests
    ]
    wrong = {
        claim.name: changed_since(claim.renewed.run)
        for claim in refused(claims)
        if claim.renewed is not None
    }
    return gone, wrong


def withdrawn_said(withdrawn: Mapping[str, tuple[Brief, str]]) -> list[str]:
    """Say how many records of a store no longer count, and why (see :func:`set_aside`)."""
    counts = Counter(why for _, why in withdrawn.values())
    return [
        f"{count} renewed record{'s do' if count > 1 else ' does'} not count: {why}."
        for why, count in sorted(counts.items())
    ]


def carry_proofs(source: Path, target: Path, dry_run: bool) -> int:
    """Add the proofs and withdrawals of another results folder, and return how many are new.

    Links, and what is no such document, are not read.

    Raises:
        EnvironmentFault: one can't be written.
    """
    count = 0
    for path in sorted((source / "renewals").glob("*.json")):
        there = target / "renewals" / path.name
        if not _FILE.fullmatch(path.name) or path.is_symlink() or there.exists():
            continue
        found: Proof | Withdrawal | None = (
            _read(path, Withdrawal) if ".withdrawn." in path.name else _read(path, Proof)
        )
        if found is not None:
            count += 1
            if not dry_run:
                _write(there, found)
    return count


def _read(path: Path, kind: type[_Document]) -> _Document | None:
    try:
        if path.stat().st_size > _LARGEST:
            return None
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError):
        return None


def _write(path: Path, document: Proof | Withdrawal) -> None:
    data = msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"
    put_or_say(path, data, "name another folder with --results")
