"""Reading a results folder for its index: which files there are, and what
an index holds of each record.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.errors import EnvironmentFault
from bench.runs.record import LARGEST, Record, RecordError, decode_and_encode
from bench.runs.spec import RunSpec

_OWN = (
    "cell",
    "key",
    "attempt",
    "seed",
    "status",
    "metrics",
    "gates",
    "not_rankable",
    "cost",
    "counters",
    "flops",
    "error",
    "arrays",
    "images",
    "digests",
    "renewed",
    "started",
    "ended",
)
_LEFT_OUT = {"curve", "logs"}
_ORIGIN = ("provenance", "warnings")
_PART = tuple(
    name for name in Record.__struct_fields__ if name not in {*_OWN, *_ORIGIN, *_LEFT_OUT}
)
KEPT = (_OWN, _PART, _ORIGIN)
_SPEC = RunSpec.__struct_fields__
_own, _part, _origin, _spec = (attrgetter(*names) for names in (_OWN, _PART, _ORIGIN, _SPEC))
_EXPORT = ".jsonl"
_AHEAD, _READERS, _ROWS = 50, 8, 1000
_rows: dict[bytes, str] = {}
_pack = msgspec.msgpack.Encoder().encode

Stamp = tuple[int, int, int]
"""What changes when a file does: times of its content and of its entry, and its size."""


def files(root: Path) -> Iterator[tuple[str, Stamp]]:
    """Yield every file that should hold records, by its path below ``root``, with its stamp.

    Raises:
        EnvironmentFault: a folder can't be read.
    """
    shards = [
        f"records/{found.name}/"
        for found in _listed(root, "records")
        if found.is_dir(follow_symlinks=False)
    ]
    # named, so that nobody misses the records behind one
    links = [found for found in _listed(root, "records") if found.is_symlink()]
    for folder, suffix, listed in [
        *((shard, ".json", None) for shard in shards),
        ("records/", "", links),
        ("", _EXPORT, None),
    ]:
        for found in _listed(root, folder) if listed is None else listed:
            if found.name.endswith(suffix) and not found.name.startswith("."):
                state = found.stat(follow_symlinks=False)
                yield (
                    f"{folder}{found.name}".encode(errors="backslashreplace").decode(),
                    (state.st_mtime_ns, state.st_ctime_ns, state.st_size),
                )


def _listed(root: Path, folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(root / folder) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []  # not there yet, or just removed
    except OSError as error:
        raise EnvironmentFault(
            f"the results folder {str(root)!r} can't be read ({error.strerror}); mend it, or name "
            "another with --results."
        ) from None


class Entry(NamedTuple):
    """What an index holds of a record: where it lies, its id, the digest
    of all of it, and what boards need in three parts.
    """

    line: int
    start: int
    length: int
    name: str
    digest: bytes
    part: bytes
    origin: bytes
    body: bytes


class Damage(NamedTuple):
    """What can't be read, and why."""

    line: int
    reason: str


def read(
    root: str, files: Sequence[tuple[str, Stamp]]
) -> Iterator[tuple[str, Stamp, list[Entry | Damage]]]:
    """Yield files with what an index holds of them.

    Threads read ahead: a disk serves several small files as quickly as one.
    """
    parts = [files[start : start + _AHEAD] for start in range(0, len(files), _AHEAD)]
    with ThreadPoolExecutor(_READERS) as pool:
        waiting = deque(pool.submit(_texts, root, part) for part in parts[:_READERS])
        for number, part in enumerate(parts, _READERS):
            texts = waiting.popleft().result()
            if number < len(parts):
                waiting.append(pool.submit(_texts, root, parts[number]))
            for (path, stamp), text in zip(part, texts, strict=True):
                yield path, stamp, list(entries(root, path, text))


def _texts(root: str, files: Sequence[tuple[str, Stamp]]) -> list[bytes | OSError | None]:
    """Return the text of each file, or why it can't be read; None for an
    export, which is read line by line.
    """

    def text(path: str) -> bytes | OSError | None:
        try:
            return None if path.endswith(_EXPORT) else _whole(f"{root}/{path}")
        except OSError as error:
            return error

    return [text(path) for path, _ in files]


def entries(root: str, path: str, text: bytes | OSError | None) -> Iterator[Entry | Damage]:
    """Yield what an index holds of every record in a file."""
    try:
        if isinstance(text, OSError):
            raise text
        for line, start, data in _lines(f"{root}/{path}") if text is None else [(0, 0, text)]:
            try:
                yield entry(line, start, data)
            except RecordError as error:
                yield Damage(line, str(error))
    except OSError as error:
        yield Damage(0, f"it can't be read ({error.strerror})")


def entry(line: int, start: int, data: bytes) -> Entry:
    """Decode a record, and keep what boards need.

    Raises:
        RecordError: it is none.
    """
    record, encoded = decode_and_encode(data)
    try:
        own = dict(zip(_OWN, _own(record), strict=True))
        if record.error is not None:
            own["error"] = (record.error.type[:200], record.error.message[:500], record.error.rerun)
        own["gap"] = _gap(record)
        spec = RunSpec(**dict(zip(_SPEC, _spec(record), strict=True)))
        part = dict(zip(_PART, _part(record), strict=True))
        part |= {"row": _row(spec, _pack(part)), "edited": spec.cell != record.cell}
        origin = dict(zip(_ORIGIN, _origin(record), strict=True))
        whole = blake2b(encoded, digest_size=16).digest()
        return Entry(
            line, start, len(data), record.id, whole, _pack(part), _pack(origin), _pack(own)
        )
    except (OverflowError, RecursionError, UnicodeError, ValueError) as error:
        raise RecordError(f"it is damaged: {error}") from None


def _gap(record: Record) -> str:
    """Return the first figure that has no value at a step: of the curve
    one that has values at others, of the log any.
    """
    for part, entries in (("curve", record.curve), ("log", record.logs)):
        empty = [
            (name, entry.get("step"))
            for entry in entries
            for name, value in entry.items()
            if value is None
        ]
        for name, step in empty:
            if part == "log" or any(entry.get(name) is not None for entry in entries):
                return f"{name[:100]} of the {part} at step {step}"
    return ""


def _row(spec: RunSpec, part: bytes) -> str:
    """Return ``spec.group``, computed once for all the seeds that share ``part``."""
    if (row := _rows.get(part)) is None:
        if len(_rows) >= _ROWS:
            _rows.clear()
        row = _rows[part] = spec.group
    return row


def _open(path: str) -> int:
    try:
        # a link or a pipe is no record
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(
                errno.ELOOP,
                "it is a symbolic link, which is not followed; put what it leads to in its place",
            ) from None
        raise


def _whole(path: str) -> bytes:
    """Return the text of a file that holds one record, in the fewest calls of the system: there may
    be a hundred thousand.

    Raises:
        OSError: it can't be read, or is larger than a record may be.
    """
    handle = _open(path)
    try:
        size = os.fstat(handle).st_size
        if size > LARGEST:
            raise OSError(errno.EFBIG, f"a record has at most {LARGEST} bytes")
        text = os.read(handle, size)
        while len(text) < size and (more := os.read(handle, size - len(text))):
            text += more
        return text
    finally:
        os.close(handle)


def _lines(path: str) -> Iterator[tuple[int, int, bytes]]:
    """Yield number (from 1), offset and text of every line of an export.

    What is larger than a record may be is cut, and fails where it is decoded.

    Raises:
        OSError: it can't be read.
    """
    number = 0
    with os.fdopen(_open(path), "rb") as file:
        while text := file.readline(LARGEST + 1):
            number += 1
            if text.strip():
                yield number, file.tell() - len(text), text
            while (
                len(text) > LARGEST
                and not text.endswith(b"\n")
                and (text := file.readline(LARGEST + 1))
            ):
                continue  # the rest of a line that is too large
