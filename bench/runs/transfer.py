"""Carrying records from place to place: merge folders, import and export files.

Nothing read here can run code: records are JSON, in files of their own, in lines, or in the column ``document`` of a Parquet file.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from bench.errors import BenchError, EnvironmentFault, UsageError
from bench.runs.record import LARGEST, Brief, Record, RecordError, decode_record
from bench.runs.store import Store

SUFFIXES = (".jsonl", ".parquet", ".json")
_ROWS = 1000
_COLUMNS = 1000
"""Most metric columns of a Parquet file; what goes beyond is in ``document`` alone."""


class Conflict(BenchError):
    """Two records of one id say different things; nothing was written."""


# Export ------------------------------------------------------------------------


def export(store: Store, file: Path, chosen: Callable[[Brief], bool]) -> int:
    """Write the chosen records into ``file``, one at a time and by id, and return how many. Nothing is written where there is none.

    Raises:
        UsageError: the suffix is neither ``.jsonl`` nor ``.parquet``. EnvironmentFault: the file can't be written.
    """
    if file.suffix not in SUFFIXES[:2]:
        raise UsageError(f"can't tell the format of {str(file)!r}; name it .jsonl or .parquet.")
    briefs = [brief for brief in store.briefs() if chosen(brief)]
    if not briefs:
        return 0
    names = {brief.id for brief in briefs}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".export-")
        try:
            with os.fdopen(handle, "wb") as stream:
                records = store.stream(lambda brief: brief.id in names)
                count = _to_lines(records, stream) if file.suffix == ".jsonl" else _to_parquet(records, briefs, stream)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(file)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise EnvironmentFault(f"the records can't be written to {str(file)!r} ({error.strerror}); name another file.") from None
    return count


def _to_lines(records: Iterable[Record], stream: IO[bytes]) -> int:
    count = 0
    for record in records:
        stream.write(msgspec.json.encode(record) + b"\n")
        count += 1
    return count


_TEXTS = ("id", "cell", "key", "track", "method", "task", "preset", "variant", "device", "dtype", "form", "status", "reference", "started", "ended")
_NUMBERS = ("schema_version", "attempt", "seed")


def _to_parquet(records: Iterable[Record], briefs: Sequence[Brief], stream: IO[bytes]) -> int:
    import pyarrow as pa
    from pyarrow import parquet

    figures = sorted({f"metrics.{name}" for brief in briefs for name in brief.metrics} | {f"cost.{name}" for brief in briefs for name in brief.cost})[:_COLUMNS]
    columns = [*((name, pa.int64()) for name in _NUMBERS), *((name, pa.string()) for name in _TEXTS), ("custom", pa.bool_()), ("peeks", pa.bool_()),
               ("params", pa.string()), ("task_params", pa.string()), *((name, pa.float64()) for name in figures), ("document", pa.string())]  # fmt: skip
    schema, count = pa.schema(columns), 0
    with parquet.ParquetWriter(stream, schema, compression="zstd") as writer:
        rows = (_row(record, figures) for record in records)
        while batch := [row for _, row in zip(range(_ROWS), rows, strict=False)]:
            writer.write_table(pa.Table.from_pylist(batch, schema))
            count += len(batch)
    return count


def _row(record: Record, figures: Sequence[str]) -> dict[str, Any]:
    row = {name: getattr(record, name) for name in (*_NUMBERS, *_TEXTS, "custom", "peeks")}
    for name in ("params", "task_params"):
        row[name] = msgspec.json.encode(getattr(record, name)).decode()
    for name in figures:
        table, _, key = name.partition(".")
        row[name] = getattr(record, table).get(key)
    return {**row, "document": msgspec.json.encode(record).decode()}


# Import ------------------------------------------------------------------------


def records_of(file: Path) -> Iterator[tuple[str, Record]]:
    """Yield every record in a ``.jsonl``, ``.parquet`` or ``.json`` file with where it stands.

    Raises:
        UsageError: it is no such file. RecordError: it holds something that is no record.
    """
    if file.suffix not in SUFFIXES:
        raise UsageError(f"can't tell the format of {str(file)!r}; give a file that ends in {', '.join(SUFFIXES)}.")
    try:
        for number, data in _from_parquet(file) if file.suffix == ".parquet" else _from_text(file):
            where = f"{file}, {'row' if file.suffix == '.parquet' else 'line'} {number}"
            try:
                yield where, decode_record(data)
            except RecordError as error:
                raise RecordError(f"{where} is no record: {error}. Nothing of it was imported.") from None
    except OSError as error:
        raise UsageError(f"can't read {str(file)!r} ({error.strerror or error}).") from None


def _from_text(file: Path) -> Iterator[tuple[int, bytes]]:
    with file.open("rb") as stream:
        if file.suffix == ".json":
            yield 1, stream.read(LARGEST + 1)
            return
        number = 0
        while line := stream.readline(LARGEST + 1):
            number += 1
            if line.strip():
                yield number, line


def _from_parquet(file: Path) -> Iterator[tuple[int, bytes]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with file.open("rb") as stream, parquet.ParquetFile(stream) as opened:
            if "document" not in opened.schema_arrow.names or not pa.types.is_string(opened.schema_arrow.field("document").type):
                raise RecordError(f"{file} has no column 'document' of text, so it is no export of 'bench results export'.")
            number = 0
            for batch in opened.iter_batches(batch_size=_ROWS, columns=["document"]):
                for value in batch.column(0):
                    number += 1
                    yield number, (value.as_py() or "").encode()
    except (pa.ArrowException, UnicodeError) as error:
        raise RecordError(f"{file} is no readable Parquet file ({str(error).splitlines()[0]}).") from None


class Incoming(msgspec.Struct):
    """A record that may be added: where it comes from, how it is read, where its files lie."""

    name: str
    content: bytes
    origin: str
    load: Callable[[], Record]
    files: Path | None = None


def from_files(files: Iterable[Path]) -> Iterator[Incoming]:
    """Yield the records of files to import."""
    for file in files:
        for where, record in records_of(file):
            yield Incoming(record.id, content(record), where, lambda record=record: record)  # type: ignore[misc]


def from_store(store: Store) -> Iterator[Incoming]:
    """Yield the records of a folder to merge."""
    for place in store.places().values():
        yield Incoming(place.name, place.digest, f"{store.root / place.path}", lambda place=place: store.load(place), store.root / "files" / place.name)  # type: ignore[misc]


def content(record: Record) -> bytes:
    """Return the digest of a whole record, as the index keeps it."""
    from hashlib import blake2b

    return blake2b(msgspec.json.encode(record), digest_size=16).digest()


def merge(store: Store, incoming: Callable[[], Iterator[Incoming]], renumber: bool, dry_run: bool) -> tuple[int, int]:
    """Add records to ``store``: those of an id and content that is there are left alone.

    Args:
        store: where they are added.
        incoming: yields them; called twice, to look at all of them before the first is written.
        renumber: a record whose id is taken by another one gets the next free attempt.
        dry_run: look only.

    Returns:
        How many were added, and how many were there already.

    Raises:
        Conflict: an id stands for two different records, and ``renumber`` is off; nothing was written.
    """
    known = {place.name: (place.digest, str(store.root / place.path)) for place in store.places().values()}
    new, old, clashes = 0, 0, []
    for item, other in _judged(known, incoming()):
        new += other is None or (other != "" and renumber)
        old += other == ""
        if other:
            clashes.append((item.name, other, item.origin))
    if clashes and not renumber:
        name, first, second = clashes[0]
        more = f", and {len(clashes) - 1} more such pairs" if len(clashes) > 1 else ""
        raise Conflict(
            f"the id {name} stands for two records that differ: {first} and {second}{more}; nothing was written. "
            "Give --renumber to keep both, the second under the next free attempt."
        )
    if dry_run:
        return new, old
    store.open_for_writing()
    added = 0
    for item, other in _judged(known, incoming()):
        if other is None:
            added += store.add(item.load(), item.files)
        elif other:
            added += _renumbered(store, known, item)
    return added, old + new - added


def disagreements(store: Store) -> list[tuple[str, str, str]]:
    """Return pairs of ``ok`` records of one key whose figures differ, with the first figure that does: same key should be same number.

    Of each key the first record is held against the others; nothing is chosen or removed because of it.
    """
    first: dict[str, Brief] = {}
    found = []
    for brief in sorted((brief for brief in store.briefs() if brief.status == "ok"), key=lambda brief: brief.id):
        known = first.setdefault(brief.key, brief)
        for name in sorted(known.metrics.keys() | brief.metrics.keys()):
            if known.metrics.get(name) != brief.metrics.get(name):
                found.append((known.id, brief.id, name))
                break
    return found


def _judged(known: Mapping[str, tuple[bytes, str]], items: Iterable[Incoming]) -> Iterator[tuple[Incoming, str | None]]:
    """Yield each record with where another one of its id that differs lies; None: its id is new, empty: it is there already."""
    seen = dict(known)
    for item in items:
        if item.name not in seen:
            seen[item.name] = (item.content, item.origin)
            yield item, None
        else:
            digest, where = seen[item.name]
            yield item, "" if digest == item.content else where


def _renumbered(store: Store, known: Mapping[str, tuple[bytes, str]], item: Incoming) -> bool:
    """Add a record whose id is taken under the next free attempt, unless an earlier merge did."""
    record = item.load()
    beginning = item.name.rpartition("-")[0]
    for name in (name for name in known if name.rpartition("-")[0] == beginning):
        record.attempt = int(name.rpartition("-")[2])
        if content(record) == known[name][0]:
            return False
    store.write(record, item.files)
    return True
