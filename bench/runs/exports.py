"""Writing records into one file: JSON lines, a Parquet table, or a table for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from bench.errors import EnvironmentFault, UsageError
from bench.files import put_with
from bench.runs.record import Brief, Record
from bench.runs.store import Store

FORMATS = ("jsonl", "parquet", "csv")
"""What can be exported."""
_ROWS = 1000
"""Rows of a Parquet file that are written at a time."""
_COLUMNS = 1000
"""Most metric columns of a Parquet file; what goes beyond is in ``document`` alone."""


def export(store: Store, file: Path, chosen: Callable[[Brief], bool], form: str = "") -> int:
    """Write the chosen records into ``file``, one at a time and by id, and return how many.

    Nothing is written where there is none.

    Args:
        store: where the records are.
        file: what is written.
        chosen: says which records.
        form: one of :data:`FORMATS`; empty: what the file's suffix says.

    Raises:
        UsageError: the suffix is none of them. EnvironmentFault: the file can't be written.
    """
    form = form or file.suffix.removeprefix(".")
    if form not in FORMATS:
        raise UsageError(
            f"can't tell the format of {str(file)!r}; name it "
            f"{', '.join(f'.{name}' for name in FORMATS[:-1])} or .{FORMATS[-1]}, or give --format."
        )
    briefs = [brief for brief in store.briefs() if chosen(brief)]
    if not briefs:
        return 0
    names = {brief.id for brief in briefs}

    def write(temporary: Path) -> int:
        records = store.stream(lambda brief: brief.id in names)
        with temporary.open("wb") as stream:
            if form == "jsonl":
                return _to_lines(records, stream)
            return _WRITERS[form](records, _figures(briefs), stream)

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return put_with(file, write)
    except OSError as error:
        raise EnvironmentFault(
            f"the records can't be written to {str(file)!r} ({error.strerror}); name another file."
        ) from None


def _to_lines(records: Iterable[Record], stream: IO[bytes]) -> int:
    count = 0
    for record in records:
        stream.write(msgspec.json.encode(record) + b"\n")
        count += 1
    return count


_TEXTS = (
    "id",
    "cell",
    "key",
    "track",
    "method",
    "task",
    "preset",
    "variant",
    "device",
    "dtype",
    "form",
    "status",
    "reference",
    "started",
    "ended",
)
_NUMBERS = ("schema_version", "attempt", "seed")


def _figures(briefs: Sequence[Brief]) -> list[str]:
    return sorted(
        {f"metrics.{name}" for brief in briefs for name in brief.metrics}
        | {f"cost.{name}" for brief in briefs for name in brief.cost}
    )[:_COLUMNS]


def _to_parquet(records: Iterable[Record], figures: Sequence[str], stream: IO[bytes]) -> int:
    import pyarrow as pa
    from pyarrow import parquet

    columns = [
        *((name, pa.int64()) for name in _NUMBERS),
        *((name, pa.string()) for name in _TEXTS),
        ("custom", pa.bool_()),
        ("peeks", pa.bool_()),
        ("params", pa.string()),
        ("task_params", pa.string()),
        *((name, pa.float64()) for name in figures),
        ("document", pa.string()),
    ]
    schema, count = pa.schema(columns), 0
    with parquet.ParquetWriter(stream, schema, compression="zstd") as writer:
        rows = (
            _row(record, figures) | {"document": msgspec.json.encode(record).decode()}
            for record in records
        )
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
    return row


def _to_csv(records: Iterable[Record], figures: Sequence[str], stream: IO[bytes]) -> int:
    """Write a table for spreadsheets, as RFC 4180 has it, in UTF-8:
    figures in full, what has no value empty.
    """
    text = io.TextIOWrapper(
        stream, "utf-8", errors="backslashreplace", newline="", write_through=True
    )
    writer, count = csv.writer(text), 0
    writer.writerow(
        map(
            _plain,
            [*_NUMBERS, *_TEXTS, "custom", "peeks", "params", "task_params", *figures, "error"],
        )
    )
    for record in records:
        error = f"{record.error.type}: {record.error.message}" if record.error else None
        writer.writerow(map(_plain, [*_row(record, figures).values(), error]))
        count += 1
    text.detach()
    return count


def _plain(value: Any) -> Any:
    """Return a cell's value; text that a spreadsheet would take for a
    formula begins with an apostrophe.
    """
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}" if isinstance(value, str) and value[:1] in _FORMULA else value


_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_WRITERS = {"parquet": _to_parquet, "csv": _to_csv}
