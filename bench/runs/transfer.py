"""Carrying records from place to place: merge folders, import files.

Nothing read here can run code: records are JSON, in files of their own, in lines, or in the column
``document`` of a Parquet file.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from bench.errors import UsageError
from bench.runs.record import LARGEST, Record, RecordError, decode_record
from bench.runs.renewal_note import changed_since
from bench.runs.renewed import Claim, claim_of, claim_of_brief, refused
from bench.runs.store import Store

SUFFIXES = (".jsonl", ".parquet", ".json")
"""What can be imported."""
_ROWS = 1000
"""Rows of a Parquet file that are read at a time."""


def records_of(file: Path) -> Iterator[tuple[str, Record]]:
    """Yield every record in a ``.jsonl``, ``.parquet`` or ``.json`` file with where it stands.

    Raises:
        UsageError: it is no such file. RecordError: it holds something that is no record.
    """
    for where, data in documents_of(file):
        try:
            yield where, decode_record(data)
        except RecordError as error:
            raise RecordError(
                f"{where} is no record: {error}. Nothing of it was imported."
            ) from None


def documents_of(file: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the text of everything in a ``.jsonl``, ``.parquet`` or ``.json`` file that should be a
    record, with where it stands.

    Raises:
        UsageError: it is no such file. RecordError: it is no readable Parquet file of records.
    """
    if file.suffix not in SUFFIXES:
        raise UsageError(
            f"can't tell the format of {str(file)!r}; give a file that ends in "
            f"{', '.join(SUFFIXES)}."
        )
    try:
        for number, data in _from_parquet(file) if file.suffix == ".parquet" else _from_text(file):
            yield f"{file}, {'row' if file.suffix == '.parquet' else 'line'} {number}", data
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
            if "document" not in opened.schema_arrow.names or not pa.types.is_string(
                opened.schema_arrow.field("document").type
            ):
                raise RecordError(
                    f"{file} has no column 'document' of text, so it is no export of 'bench "
                    "results export'."
                )
            number = 0
            for batch in opened.iter_batches(batch_size=_ROWS, columns=["document"]):
                for value in batch.column(0):
                    number += 1
                    yield number, (value.as_py() or "").encode()
    except (pa.ArrowException, UnicodeError) as error:
        raise RecordError(
            f"{file} is no readable Parquet file ({str(error).splitlines()[0]})."
        ) from None


class Incoming(msgspec.Struct):
    """A record that may be added: where it comes from, how it is read, where its files lie."""

    name: str
    content: bytes
    origin: str
    load: Callable[[], Record]
    claim: Claim
    files: Path | None = None


def from_files(files: Iterable[Path]) -> Iterator[Incoming]:
    """Yield the records of files to import."""
    for file in files:
        for where, record in records_of(file):
            yield Incoming(
                record.id,
                content(record),
                where,
                lambda record=record: record,  # type: ignore[misc]
                claim_of(record),
            )


def from_store(store: Store) -> Iterator[Incoming]:
    """Yield the records of a folder to merge; of an id's several the first one has its files."""
    seen = set()
    claims = _claims(store)
    for place in store.all_places():
        files = None if place.name in seen else store.root / "files" / place.name
        seen.add(place.name)
        yield Incoming(
            place.name,
            place.digest,
            f"{store.root / place.path}",
            lambda place=place: store.load(place),  # type: ignore[misc]
            claims[place.digest.hex()],
            files,
        )


def _claims(store: Store) -> dict[str, Claim]:
    """Return the claim of every readable record: digest of the whole record -> claim."""
    places = {place.digest.hex(): place for place in store.all_places()}

    def load(content: str) -> Record:
        return store.load(places[content])

    return store.ask(
        lambda index: {
            brief.content: claim_of_brief(brief, functools.partial(load, brief.content))
            for brief in index.briefs()
        }
    )


def content(record: Record) -> bytes:
    """Return the digest of a whole record, as the index keeps it."""
    from hashlib import blake2b

    return blake2b(msgspec.json.encode(record), digest_size=16).digest()


class Merged(msgspec.Struct):
    """What came of a merge."""

    added: int = 0
    known: int = 0
    """How many were there already."""
    renumbered: list[tuple[str, str]] = []
    """Of those added: the id that another record has, and the id that it was added under."""


def merge(store: Store, incoming: Callable[[], Iterator[Incoming]], dry_run: bool) -> Merged:
    """Add records to ``store``: what is there is left alone, and a record whose id another one has
    gets the next free attempt.

    Nothing is added where one of them can't be read. A merge that is done again adds nothing.

    Args:
        store: where they are added.
        incoming: yields them; called twice, to look at all of them before the first is written.
        dry_run: look only.

    Raises:
        RecordError: a renewed record is not what its run recorded.
    """
    looked, claims = Merged(), list(_claims(store).values())
    wrong = {claim.name for claim in refused(claims)}
    known = _Known(store)
    for item in incoming():
        name = known.take(item)
        claims += [item.claim] if name else []
        looked.added += bool(name)
        looked.known += not name
        if name and name != item.name:
            looked.renumbered.append((item.name, name))
    for claim in refused(claims):
        if claim.renewed is None or claim.name in wrong:
            continue  # it was there before, and is named wherever it is read
        raise RecordError(
            f"the record {claim.name} can't be added: {changed_since(claim.renewed.run)}. Nothing "
            "was added."
        )
    if dry_run:
        return looked
    store.open_for_writing()
    merged, known = Merged(), _Known(store)
    for item in incoming():
        if not (name := known.take(item)):
            merged.known += 1
            continue
        record = item.load()
        record.attempt = int(name.rpartition("-")[2])
        if not store.add(record, item.files):  # another command took the id meanwhile
            store.write(record, item.files)
        merged.added += 1
        if record.id != item.name:
            merged.renumbered.append((item.name, record.id))
    return merged


class _Known:
    """What ids stand for while records are added: in the store, and of those that came before."""

    def __init__(self, store: Store) -> None:
        self._contents: dict[str, set[bytes]] = {}
        self._last: dict[str, int] = {}
        self._moved: set[tuple[str, bytes]] = set()
        for place in store.all_places():
            self._note(place.name, place.digest)

    def _note(self, name: str, digest: bytes) -> None:
        self._contents.setdefault(name, set()).add(digest)
        beginning, _, attempt = name.rpartition("-")
        self._last[beginning] = max(self._last.get(beginning, 0), int(attempt))

    def take(self, item: Incoming) -> str:
        """Return the id that a record is added under; empty: it is there already, under its own id
        or one that an earlier merge gave it.
        """
        contents = self._contents.get(item.name)
        if contents is None:
            self._note(item.name, item.content)
            return item.name
        if item.content in contents or (item.name, item.content) in self._moved:
            return ""
        record, beginning = item.load(), item.name.rpartition("-")[0]
        for attempt in range(1, self._last[beginning] + 1):
            record.attempt = attempt
            if content(record) in self._contents.get(record.id, ()):
                return ""
        record.attempt = self._last[beginning] + 1
        self._moved.add((item.name, item.content))
        self._note(record.id, content(record))
        return record.id
