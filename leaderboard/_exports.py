"""Files for further analysis: records and history as Parquet.

The same records give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.runs.record import Record

_PLAIN = (
    "cell",
    "key",
    "attempt",
    "track",
    "method",
    "task",
    "preset",
    "variant",
    "seed",
    "device",
    "dtype",
    "form",
    "status",
    "reference",
    "peeks",
    "custom",
    "not_rankable",
    "started",
    "ended",
)
HISTORY = {
    "night": "string",
    "suite": "string",
    "tier": "string",
    "track": "string",
    "method": "string",
    "place": "int64",
    "range_low": "int64",
    "range_high": "int64",
    "leading": "bool_",
    "score": "float64",
    "low": "float64",
    "high": "float64",
    "iqm": "float64",
    "ok": "int64",
    "imputed": "int64",
    "of": "int64",
    "valid": "bool_",
}
"""Columns of history.parquet and their types: one row a night, suite, tier, track and method."""
_NEW = ("place", "range_low", "range_high", "leading")


def records_parquet(records: Sequence[Record], path: Path) -> None:
    """Write records flattened: metrics, gates, cost and counters get
    columns of their own, parameters are JSON.
    """
    import pyarrow as pa

    lines = [_flat(record) for record in sorted(records, key=lambda record: record.id)]
    names = sorted({name for line in lines for name in line} - set(_PLAIN) - {"id"})
    columns = {
        name: pa.array([line.get(name) for line in lines], type=_type(name))
        for name in ("id", *_PLAIN, *names)
    }
    _write(pa.table(columns), path)


def _flat(record: Record) -> dict[str, Any]:
    line = {"id": record.id, **{name: getattr(record, name) for name in _PLAIN}}
    line |= {
        name: json.dumps(getattr(record, name), sort_keys=True)
        for name in ("params", "task_params", "tuning")
    }
    line |= {
        "error_type": record.error.type if record.error else None,
        "error_message": record.error.message[:1000] if record.error else None,
    }
    for group in ("metrics", "gates", "cost", "counters"):
        line |= {f"{group}.{name}": value for name, value in getattr(record, group).items()}
    line |= {
        f"provenance.{name}": str(record.provenance[name])
        for name in ("cpu", "cpu_class", "python", "runner")
        if name in record.provenance
    }
    return line


def _type(name: str) -> Any:
    import pyarrow as pa

    group = name.partition(".")[0] if "." in name else ""
    if name in ("attempt", "seed") or group == "counters":
        return pa.int64()
    if name in ("peeks", "custom") or group == "gates":
        return pa.bool_()
    return pa.float64() if group in ("metrics", "cost") else pa.string()


def history_rows(board: Mapping[str, Any], night: str) -> list[dict[str, Any]]:
    """Return what a board says of one night, one row a track and method that ran."""
    return [
        {
            "night": night,
            "suite": board["suite"]["name"],
            "tier": board["suite"]["tier"],
            "track": track["track"],
            "method": row["method"],
            "place": row["place"],
            "range_low": row["range"][0] if row["range"] else None,
            "range_high": row["range"][1] if row["range"] else None,
            "leading": row["leading"],
            "score": row["score"],
            "low": row["low"],
            "high": row["high"],
            "iqm": row["iqm"][0] if row["iqm"] else None,
            "ok": row["ok"],
            "imputed": row["imputed"],
            "of": row["of"],
            "valid": track["valid"],
        }
        for track in board["tracks"]
        for row in track["rows"]
        if row["ok"] or row["imputed"]
    ]


def merged(
    old: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return history with a night's rows in place of what it said of that
    night, suite and tier before, sorted.
    """
    fresh = [dict(row) for row in new]
    again = {(row["night"], row["suite"], row["tier"]) for row in fresh}
    kept = [dict(row) for row in old if (row["night"], row["suite"], row["tier"]) not in again]
    return sorted(
        (*kept, *fresh),
        key=lambda row: (row["suite"], row["tier"], row["night"], row["track"], row["method"]),
    )


def read_history(path: Path) -> list[dict[str, Any]]:
    """Read history; none where there is no file yet.

    Raises:
        UsageError: it can't be read, or has other columns.
    """
    if not path.exists():
        return []
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as stream:
            table = pq.read_table(stream)
        for name in _NEW:  # nights that were told before places were have none
            if name not in table.column_names:
                table = table.append_column(
                    name, pa.nulls(table.num_rows, getattr(pa, HISTORY[name])())
                )
        if "tier" not in table.column_names:  # suites had one tier each
            table = table.append_column("tier", pa.array(["default"] * table.num_rows, pa.string()))
        return table.select(list(HISTORY)).cast(_schema()).to_pylist()  # type: ignore[no-any-return]
    except (OSError, pa.ArrowException, KeyError) as error:
        first = str(error).partition("\n")[0]
        raise UsageError(
            f"the history {str(path)!r} can't be read ({first}); give a history.parquet that "
            "'bench leaderboard --history' wrote."
        ) from None


def history_parquet(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write history."""
    import pyarrow as pa

    _write(pa.Table.from_pylist([dict(row) for row in rows], schema=_schema()), path)


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema([(name, getattr(pa, kind)()) for name, kind in HISTORY.items()])


def _write(table: Any, path: Path) -> None:
    import pyarrow.parquet as pq

    with path.open("wb") as stream:
        pq.write_table(table, stream, compression="zstd")


def night_of(records: Sequence[Record]) -> str:
    """Return the day on which the newest record ended: the board reads no clock."""
    return max((record.ended[:10] for record in records), default="")
