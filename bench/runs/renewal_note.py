"""What a renewed record says of its renewal, and whether it agrees with what it carries.

A renewal writes a record anew under the key of later code that was proved to give the same numbers.
It carries everything over but its own name and what names the code; the digest of what is carried
is in the renewed record, so that one that was changed since is refused wherever it is read.
"""

from __future__ import annotations

import re
from typing import Any, Protocol

import msgspec

from bench.digests import digest

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
    """Class of the machine that ran the new code (``cpu_class``, ``kernels``), the runs of the
    ``sample``, whether they were held ``against`` the old code or its records, and the commit of
    the ``old`` code where it ran.
    """
    proofs: list[str]
    """Names of the proofs that it rests on, the last one its own (see :mod:`bench.runs.proofs`)."""


class _Recorded(Protocol):
    """What is read here of a record (:class:`bench.runs.record.Record`)."""

    provenance: dict[str, Any]

    @property
    def status(self) -> str: ...

    @property
    def device(self) -> str: ...

    @property
    def cell(self) -> str: ...

    @property
    def key(self) -> str: ...


def carried(record: _Recorded) -> str:
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


def contradiction(record: _Recorded, renewed: Renewed) -> str:
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
    return changed_since(renewed.run) if wrong else ""


def changed_since(run: str) -> str:
    """Say that a renewed record is not what its run recorded."""
    return (
        f"it was renewed from {run} and differs from what that run recorded, so it was changed "
        "since; run the cell anew"
    )
