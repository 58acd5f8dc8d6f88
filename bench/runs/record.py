"""The record of a run: the only input of every table and picture."""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec

from bench.digests import digest
from bench.errors import BenchError

SCHEMA_VERSION = 1
Status = Literal["ok", "failed", "crashed", "timeout", "oom", "invalid", "interrupted"]


class Failure(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What went wrong, and how to see it again."""

    type: str
    message: str
    frames: list[str] = []
    """The last frames of the traceback."""
    log: str = ""
    """The last lines that the run printed."""
    rerun: str = ""
    """The command that reruns just this cell."""


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
    status: Status
    metrics: dict[str, float | None] = {}
    gates: dict[str, bool] = {}
    not_rankable: str | None = None
    cost: dict[str, float | None] = {}
    counters: dict[str, int] = {}
    curve: list[dict[str, Any]] = []
    logs: list[dict[str, Any]] = []
    reference: str = ""
    """``low``, ``high`` or ``control`` for a reference of the task; one that peeks never gets a rank."""
    peeks: bool = False
    custom: bool = False
    """True: a custom variant or parameters other than the defaults; shown, never ranked."""
    needs: list[str] = []
    error: Failure | None = None
    warnings: list[str] = []
    arrays: str = ""
    images: dict[str, str] = {}
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
    def group(self) -> str:
        """The digest of the cell without its seed: what one row of a board averages over."""
        fields = ("track", "method", "params", "task", "task_params", "preset", "variant", "device", "dtype", "form")
        return digest([getattr(self, name) for name in fields])


_decoder = msgspec.json.Decoder(Record)


class RecordError(BenchError):
    """A record that can't be trusted; the text says why."""


def encode_record(record: Record) -> bytes:
    """Write a record as JSON with a fixed order of keys, checked first.

    Raises:
        RecordError: a figure is not finite.
    """
    check_record(record)
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"


def decode_record(data: bytes) -> Record:
    """Read a record and check it.

    Raises:
        RecordError: it is damaged, of a later version, or inconsistent.
    """
    try:
        record = _decoder.decode(data)
    except msgspec.MsgspecError as error:
        try:
            version = msgspec.json.decode(data)["schema_version"]
        except (msgspec.MsgspecError, KeyError, TypeError):
            version = SCHEMA_VERSION
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise RecordError(f"it has schema version {version}, this bench reads up to {SCHEMA_VERSION}; update bench to read it") from None
        raise RecordError(f"it is damaged: {error}") from None
    check_record(record)
    return record


def check_record(record: Record) -> None:
    """Raise RecordError unless the record is consistent: finite figures, digests that can be file names."""
    for name, value in (*record.metrics.items(), *record.cost.items()):
        if value is not None and not math.isfinite(value):
            raise RecordError(f"{name} is {value}; a figure that has no value must be null")
    if not (record.cell + record.key).isalnum() or record.attempt < 1:
        raise RecordError("its cell or key is no digest")
    if record.status != "ok" and record.error is None:
        raise RecordError(f"it has status {record.status} and says no reason")
