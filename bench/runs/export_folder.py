"""Writing records into a folder for a repository: one sorted file a track and task.

A record of a rerun stands where the old one stood, between those that are most like it: so a
change of one task touches one file, and Git packs the versions of it well.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import msgspec

from bench.errors import EnvironmentFault
from bench.runs.record import Record, RecordError, decode_record
from bench.runs.store import Store


class Exported(msgspec.Struct):
    """What an export into a folder did; files are paths below it."""

    records: int = 0
    written: list[str] = []
    removed: list[str] = []
    """Files of this layout whose track and task have no record left."""
    others: list[str] = []
    """Further exports in the folder, which are read with it and were left alone."""


def export_by_task(
    store: Store, folder: Path, chosen: Callable[[Record], bool] = lambda _: True
) -> Exported:
    """Write the chosen records into ``folder``, sorted, one ``TRACK.TASK.jsonl`` each.

    Equal records give equal bytes. The folder may be ``store`` itself. Nothing is written or
    removed where no record is chosen.

    Args:
        store: where the records are.
        folder: what is written; made if need be.
        chosen: says of which records, by what all records of one track and task share.

    Raises:
        EnvironmentFault: the folder can't be written. RecordError: a record can't be read.
    """
    names: dict[str, list[str]] = {}
    for brief in store.briefs():
        if chosen(brief):
            names.setdefault(file_name(brief.track, brief.task), []).append(brief.id)
    done = Exported(sum(map(len, names.values())), sorted(names))
    if not names:
        return done
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".export-") as temporary:
            places = store.places()
            for name, ids in names.items():
                records = sorted((store.load(places[id_]) for id_ in ids), key=_order)
                lines = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
                Path(temporary, name).write_bytes(lines)
            for name in names:  # all are whole before the first one counts
                Path(temporary, name).replace(folder / name)
        for path in sorted(folder.glob("*.jsonl")):
            if path.name not in names:
                kind = _left_over(path, chosen)
                if kind == "stale":
                    path.unlink()
                    done.removed.append(path.name)
                elif kind == "other":
                    done.others.append(path.name)
    except OSError as error:
        raise EnvironmentFault(
            f"the records can't be written into {str(folder)!r} ({error.strerror}); name another "
            "folder."
        ) from None
    return done


def file_name(track: str, task: str) -> str:
    """Return the name of the file that holds the records of a track's task.

    What a plain name does not hold is escaped, as in an address.
    """
    return ".".join(quote(name, safe="").replace(".", "%2E") for name in (track, task)) + ".jsonl"


def _order(record: Record) -> tuple[str, str, str, int, str, str, int]:
    return (
        record.preset,
        record.variant,
        record.method,
        record.seed,
        record.cell,
        record.key,
        record.attempt,
    )


def _left_over(path: Path, chosen: Callable[[Record], bool]) -> str:
    """Return what a file is that this export did not write: ``stale``, of this layout and of
    chosen records that are gone; ``kept``, of records that were not chosen; ``other``.
    """
    try:
        with path.open("rb") as file:
            record = decode_record(file.readline())
    except RecordError:
        return "other"
    if path.name != file_name(record.track, record.task):
        return "other"
    return "stale" if chosen(record) else "kept"
