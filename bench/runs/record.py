"""The record of a run: the only input of every table and picture."""

from __future__ import annotations

import contextlib
import re
from typing import Any, Literal

import msgspec

from bench.runs.record_checks import check_record as check_record
from bench.runs.record_versions import UPGRADES, refuse_repeats
from bench.runs.record_versions import RecordError as RecordError
from bench.runs.renewal_note import Renewed
from bench.runs.spec import RunSpec

SCHEMA_VERSION = 4
"""What this version writes.

Every older version has a reader in :data:`bench.runs.record_versions.UPGRADES` and a fixture in
tests/runs/fixtures.
"""

LARGEST = 64 * 2**20
"""Most bytes of one record: what is larger is no record of ours, and would
fill the memory of whoever reads it.
"""

Status = Literal["ok", "failed", "crashed", "timeout", "oom", "invalid", "interrupted"]


class Failure(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What went wrong, and how to see it again."""

    type: str
    message: str
    frames: list[str] = []
    """The last frames of the traceback."""
    log: str = ""
    """The end of what the run printed, without the folders of the machine."""
    rerun: str = ""
    """The command that reruns just this cell."""


class Flops(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Floating-point operations of a run's ``solve``, counted by the
    harness in a second pass (see :mod:`bench.counts`).
    """

    total: int
    """Operations, those of artifacts that the method asked for included;
    one multiplication with one addition is two.
    """
    artifacts: int = 0
    """Those of artifacts alone."""
    uncounted: list[str] = []
    """What was done and has no formula, by name. Not empty: the total is a lower bound."""


_FOLDERS = re.compile(
    r"""(?<=["'])/(?:[^/"'\n]+/)+(?=[^/"'\n]+["'])|(?<![\w/.:"'])/(?:[^/\s"':]+/)+(?=[^/\s"':]+)"""
)
"""A folder in quotes, where it may hold spaces, or without."""


def without_folders(text: str) -> str:
    """Return text in which every absolute path is its last part alone: records travel, and where
    somebody keeps files is nobody else's business.
    """
    return _FOLDERS.sub("", text)


class Record(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One attempt at one run. Written once, never changed."""

    schema_version: int = SCHEMA_VERSION
    cell: str
    key: str
    attempt: int = 1
    track: str
    method: str
    params: dict[str, Any]
    task: str
    task_params: dict[str, Any]
    preset: str
    variant: str
    seed: int
    device: str
    dtype: str
    form: str
    data: dict[str, str] | None = None
    """Fingerprint of every dataset that the task loaded, by its call, like ``digits(split=test)``;
    part of the key.

    None: unknown, in records of older versions.
    """
    status: Status
    metrics: dict[str, float | None] = {}
    gates: dict[str, bool] = {}
    not_rankable: str | None = None
    cost: dict[str, float | None] = {}
    counters: dict[str, int] = {}
    flops: Flops | None = None
    """None: not counted in this run."""
    curve: list[dict[str, Any]] = []
    logs: list[dict[str, Any]] = []
    reference: str = ""
    """``low``, ``high`` or ``control`` for a reference of the task; one
    that peeks never gets a rank.
    """
    peeks: bool = False
    custom: bool = False
    """True: a custom variant or parameters other than the defaults; shown, never ranked."""
    needs: list[str] = []
    tuning: dict[str, Any] | None = None
    """How the parameters were chosen, where ``--tune`` chose them (see
    ``bench.runs.search``); shown, never ranked.
    """
    error: Failure | None = None
    warnings: list[str] = []
    arrays: str = ""
    images: dict[str, str] = {}
    digests: dict[str, str] = {}
    """Digest of each array and picture, like ``array:scores`` (see ``bench.runs.saved``)."""
    renewed: Renewed | None = None
    """Which run this is the record of, where later code was proved to give the same."""
    started: str
    ended: str
    provenance: dict[str, Any] = {}

    @property
    def id(self) -> str:
        """The record's name: cell, key and attempt."""
        return f"{self.cell[:16]}-{self.key[:16]}-{self.attempt}"

    @property
    def identity(self) -> str:
        """``track/task``."""
        return f"{self.track}/{self.task}"

    @property
    def method_names(self) -> tuple[str, str]:
        """What its method is called: ``method`` and ``track/method``."""
        return self.method, f"{self.track}/{self.method}"

    @property
    def group(self) -> str:
        """The digest of the cell without its seed: what one row of a board averages over."""
        return RunSpec(**{name: getattr(self, name) for name in RunSpec.__struct_fields__}).group


class Brief(Record, kw_only=True, forbid_unknown_fields=True):
    """A record as the index keeps it, for boards and plans: without ``curve``, ``logs`` and the log
    and frames of an error.

    It is never written. Values that records share (parameters, provenance) are the same object in
    all of them: don't change them.
    """

    name: str
    """What :attr:`id` is."""
    row: str
    """What :attr:`group` is."""
    content: str
    """The digest of the whole record."""
    edited: bool
    """True: the cell is not the digest of the record's own fields; somebody changed it by hand."""
    gap: str
    """Which figure of the curve or log has no value at a step though it
    has one at others; empty: none.
    """

    @property
    def id(self) -> str:
        """The record's name, put together once."""
        return self.name

    @property
    def group(self) -> str:
        """The digest of the cell without its seed, computed once."""
        return self.row


_decoder = msgspec.json.Decoder(Record)


def encode_record(record: Record) -> bytes:
    """Write a record as JSON with a fixed order of keys, checked first.

    Raises:
        RecordError: it is inconsistent, or it is larger than a record may be.
    """
    if isinstance(record, Brief):
        raise RecordError(
            "it is an index's shortened copy, not the record; ask the store for the record"
        )
    check_record(record)
    data = msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"
    if len(data) > LARGEST:
        raise RecordError(f"it has {len(data)} bytes, a record has at most {LARGEST}")
    return data


def decode_record(data: bytes) -> Record:
    """Read a record of this or of any earlier schema version, and check it.

    Raises:
        RecordError: it is damaged, of a later version, inconsistent, or says a field twice.
    """
    return decode_and_encode(data)[0]


def decode_and_encode(data: bytes) -> tuple[Record, bytes]:
    """Read a record as :func:`decode_record` does, and return it with its JSON of this version."""
    if len(data) > LARGEST:
        raise RecordError(f"it has {len(data)} bytes, a record has at most {LARGEST}")
    record = None
    with contextlib.suppress(msgspec.MsgspecError, RecursionError, UnicodeError):
        record = _decoder.decode(data)
    if record is None or record.schema_version != SCHEMA_VERSION:
        record = _upgraded(data)
    # not as we write it: by hand, by other software, of an earlier version
    encoded = msgspec.json.encode(record)
    if msgspec.json.format(data, indent=-1) != encoded:
        refuse_repeats(data)
    check_record(record)
    return record, encoded


def _upgraded(data: bytes) -> Record:
    """Read a record of an earlier schema version, step by step up to this
    one; of what is no record, say why.
    """
    try:
        document = msgspec.json.decode(data, type=dict[str, Any])
        version = document.get("schema_version")
        if type(version) is not int or version < 1:
            raise RecordError(f"it is damaged: its schema_version is {str(version)[:20]}")
        if version > SCHEMA_VERSION:
            raise RecordError(
                f"it has schema version {version}, this bench reads up to {SCHEMA_VERSION}; "
                "update bench to read it"
            )
        for step in range(version, SCHEMA_VERSION):
            document = UPGRADES[step](document)
        return msgspec.convert({**document, "schema_version": SCHEMA_VERSION}, Record)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise RecordError(f"it is damaged: {error}") from None
