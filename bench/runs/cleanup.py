"""What may go from a results folder."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.runs.record_reader import Damaged
from bench.runs.store import Store
from bench.runs.store_files import remove

_HOUR = 3600.0


class Removable(msgspec.Struct, frozen=True):
    """Something that may go: what, why and how large."""

    path: str
    why: str
    bytes: int


def removable(store: Store) -> list[Removable]:
    """Return what may be removed from a results folder: attempts that a later one of their key
    replaced, files of no record, temporaries.

    An ``ok`` record, the last attempt of a key and a damaged record are never among it.
    """
    briefs = store.briefs()
    last: dict[str, int] = {}
    for brief in briefs:
        last[brief.key] = max(brief.attempt, last.get(brief.key, 0))
    replaced = {
        brief.id: f"attempt {brief.attempt}, {brief.status}: attempt {last[brief.key]} replaced it"
        for brief in briefs
        if brief.status != "ok" and brief.attempt < last[brief.key]
    }
    places = store.places()
    found = [
        (store.root / places[name].path, why)
        for name, why in sorted(replaced.items())
        if places[name].line == 0
    ]
    gone = {path.stem for path, _ in found}
    kept = {brief.id for brief in briefs} - gone | {
        Path(item.path.partition(", line ")[0]).stem for item in store.damaged
    }
    found += [
        (path, "files of no record")
        for path in _children(store.root / "files")
        if path.name not in kept and (path.name in gone or _old(path))
    ]
    found += [(path, "left by a writer that is gone") for path in store.abandoned()]
    loose = [
        *store.root.glob(".export-*"),
        *store.root.glob(".probe*"),
        *(store.root / "records").glob("*/.writing-*"),
    ]
    found += [(path, "left by a writer that is gone") for path in sorted(loose) if _old(path)]
    return [Removable(str(path), why, _size(path)) for path, why in found]


def remove_all(store: Store, found: Sequence[Removable]) -> list[Damaged]:
    """Remove what :func:`removable` found, and return what could not be removed."""
    left = []
    for item in found:
        remove(Path(item.path))
        if os.path.lexists(item.path):
            left.append(Damaged(item.path, "it can't be removed"))
    return left


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []


def _old(path: Path) -> bool:
    """Say whether nobody can still be busy with it: it is an hour old."""
    return time.time() - path.lstat().st_mtime > _HOUR


def _size(path: Path) -> int:
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    return sum(_size(child) for child in path.iterdir())
