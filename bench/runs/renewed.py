"""What a renewed record says of the run that it is a record of.

A renewal writes a record anew under the key of later code that was proved to give the same numbers.
It carries everything over but its own name and what names the code; the digest of what is carried
is in the renewed record, so that one that was changed since is refused wherever it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from bench.digests import digest

if TYPE_CHECKING:
    from bench.runs.record import Brief, Record

NAMES_CODE = (
    "files",
    "bench",
    "bench_git",
    "method_source",
    "method_git",
    "task_source",
    "task_git",
)
"""What of a record's provenance says by which code it was made: a renewal says it anew."""

_OWN = ("schema_version", "key", "attempt", "renewed")
_ID = re.compile(r"[0-9a-f]{16}-[0-9a-f]{16}-\d{1,6}")


class Renewed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a record was renewed; its seconds and all its figures are those of the run."""

    run: str = msgspec.field(name="from")
    """Id of the record of the run itself, also where renewals lie between."""
    digest: str
    """Of what that record says and this one carries (see :func:`carried`)."""
    to: str
    """The key that it was written under."""
    by: dict[str, Any]
    """Version and commit of the bench that renewed it."""
    proved_on: dict[str, Any]
    """Class of the machine that ran old and new code (``cpu_class``, ``kernels``), the runs of the
    ``sample``, and the commit of the ``old`` code.
    """
    proofs: list[str]
    """Names of the proofs that it rests on, the last one its own (see :mod:`bench.runs.proofs`)."""


def carried(record: Record) -> str:
    """Return the digest of what a renewal carries over from a record.

    Fields at their default are left out, so that fields of later versions change no digest.
    """
    found: dict[str, Any] = {}
    for field in _fields(type(record)):
        value = getattr(record, field.name)
        if field.name not in _OWN and value != _default(field):
            found[field.name] = value
    if "provenance" in found:
        found["provenance"] = {
            name: value for name, value in record.provenance.items() if name not in NAMES_CODE
        }
    return digest(found)


_known: dict[type, tuple[msgspec.structs.FieldInfo, ...]] = {}


def _fields(kind: type) -> tuple[msgspec.structs.FieldInfo, ...]:
    if kind not in _known:
        _known[kind] = msgspec.structs.fields(kind)
    return _known[kind]


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def contradiction(record: Record, renewed: Renewed) -> str:
    """Say what in a renewed record contradicts what it says of its renewal; empty: nothing."""
    if not _ID.fullmatch(renewed.run) or not renewed.proofs:
        return "it is damaged: it names no run that it was renewed from, or no proof"
    wrong = (
        record.status != "ok"
        or record.device != "cpu"
        or renewed.run[:16] != record.cell[:16]
        or renewed.to != record.key
        or renewed.digest != carried(record)
    )
    return differs_said(renewed.run) if wrong else ""


def differs_said(run: str) -> str:
    """Say that a renewed record is not what its run recorded."""
    return (
        f"it was renewed from {run} and differs from what that run recorded, so it was changed "
        "since; run the cell anew"
    )


class Claim(NamedTuple):
    """What of a record tells whether renewed ones are what their runs recorded."""

    name: str
    carried: str
    renewed: Renewed | None


def claim_of(record: Record) -> Claim:
    """Return the claim of a whole record, or of its brief."""
    said = getattr(record, "carried", "")
    return Claim(record.id, said or carried(record), record.renewed)


def refused(claims: Iterable[Claim]) -> Iterator[Claim]:
    """Yield the claims of renewed records whose run is among the claims and says something else.

    A merge may have given the run's record another attempt, so the attempt does not count.
    """
    claims = list(claims)
    if not any(claim.renewed for claim in claims):
        return
    runs: dict[str, set[str]] = {}
    for claim in claims:
        if claim.renewed is None:
            runs.setdefault(_beginning(claim.name), set()).add(claim.carried)
    for claim in claims:
        if claim.renewed is not None:
            known = runs.get(_beginning(claim.renewed.run))
            if known is not None and claim.renewed.digest not in known:
                yield claim


def _beginning(name: str) -> str:
    return name.rpartition("-")[0]


def in_words(brief: Brief | Record) -> str:
    """Say what a record was renewed from, by what, and where that was proved; empty: it was not."""
    renewed = brief.renewed
    if renewed is None:
        return ""
    by = str(renewed.by.get("commit") or "")[:12] or f"bench {renewed.by.get('bench')}"
    sample = renewed.proved_on.get("sample") or []
    shown = "; ".join(map(str, sample[:3])) + (
        f"; and {len(sample) - 3} more" if len(sample) > 3 else ""
    )
    steps = f", in {len(renewed.proofs)} steps" if len(renewed.proofs) > 1 else ""
    return (
        f"renewed from {renewed.run} by {by}{steps}; proved on "
        f"{renewed.proved_on.get('cpu_class')} by {shown}"
    )
