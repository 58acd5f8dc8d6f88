"""What a job takes along to another machine: the code of local plugins
there, and the files of its results back.
"""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from bench.builtin import ROOMS
from bench.errors import UsageError
from bench.plugins.index import Index
from bench.plugins.source import Target, locate, reach
from bench.runs.provenance import versions
from bench.runs.result import Result
from bench.runs.spec import Job

_LARGEST = 100 << 20
"""Bytes of a plugin's files, packed."""
_TIME = (1980, 1, 1, 0, 0, 0)


def targets(job: Job) -> list[Target]:
    """Return every class that a job imports."""
    return [
        target for target in (job.task, *job.datasets.values(), job.method) if target is not None
    ]


# There: code ---------------------------------------------------------------------


def pack(root: str, wanted: Iterable[Target], index: Index) -> bytes:
    """Return what is needed of the plugin in the folder ``root``, packed: the same files give the
    same bytes.

    That is every file in its rooms, and the Python files that the targets reach by imports: of a
    plugin that is a single file, what lies beside it does not travel.

    Raises:
        UsageError: it is too much.
    """
    home, found = Path(root), set()
    for target in wanted:
        if target.root == root:
            found |= {
                path
                for module in reach(target, index.scan)
                if (path := locate(module, target)) is not None and path.is_relative_to(home)
            }
    found |= {
        path
        for name in ROOMS
        for path in (home / name).rglob("*")
        if path.is_file() and not _hidden(path.relative_to(home))
    }
    stream, size = io.BytesIO(), 0
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(found):
            size += path.stat().st_size
            if size > _LARGEST:
                raise UsageError(
                    f"the plugin {root!r} is larger than {_LARGEST >> 20} MiB, too much to send "
                    "to every node; keep its data elsewhere."
                )
            packed.writestr(
                zipfile.ZipInfo(path.relative_to(home).as_posix(), _TIME),
                path.read_bytes(),
                zipfile.ZIP_DEFLATED,
            )
    return stream.getvalue()


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)


def unpack(data: bytes, place: Path) -> Path:
    """Unpack a plugin at ``place``, unless it is there already, and return it."""
    if not place.is_dir():
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=place.parent, prefix=".unpacking-"))
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            packed.extractall(temporary)
        try:
            os.rename(temporary, place)  # noqa: PTH104
        except OSError:  # another process was quicker
            shutil.rmtree(temporary, ignore_errors=True)
    return place


def localized(job: Job, homes: Mapping[str, Path], cache: str, workdir: str) -> Job:
    """Return a job with the paths and versions of this machine; ``homes`` says where the folders of
    local plugins lie here, if elsewhere.
    """

    def here(target: Target) -> Target:
        if target.root:
            home = homes.get(target.root, Path(target.root))
            return msgspec.structs.replace(
                target, path=str(home / Path(target.path).relative_to(target.root)), root=str(home)
            )
        try:
            spec = importlib.util.find_spec(target.module)
        except (ImportError, ValueError):
            spec = None
        return (
            target
            if spec is None or spec.origin is None
            else msgspec.structs.replace(target, path=spec.origin)
        )

    return msgspec.structs.replace(
        job,
        task=here(job.task),
        method=here(job.method) if job.method else None,
        datasets={name: here(target) for name, target in job.datasets.items()},
        versions=versions(tuple(job.versions)),
        cache=cache,
        workdir=workdir,
    )


# Back: files of results ----------------------------------------------------------


def files_of(result: Result) -> dict[str, bytes]:
    """Return the files that a result names, by name."""
    return (
        {name: (Path(result.files) / name).read_bytes() for name in _names(result)}
        if result.files
        else {}
    )


def put(result: Result, files: Mapping[str, bytes], folder: Path) -> Result:
    """Write the files of a result that came from elsewhere into ``folder``; whatever it does not
    name, or names as a path, is left out.
    """
    if not files:
        return msgspec.structs.replace(result, files="")
    folder.mkdir(parents=True, exist_ok=True)
    for name in _names(result):
        if name in files and Path(name).name == name:
            (folder / name).write_bytes(files[name])
    return msgspec.structs.replace(result, files=str(folder))


def _names(result: Result) -> Iterator[str]:
    yield from filter(None, (result.arrays, *result.images.values()))


def digests(wanted: Iterable[Target], index: Index) -> dict[str, str]:
    """Return the digests of the code that targets reach, by module: what keys are made of."""
    return {
        module: scan.digest
        for target in wanted
        for module, scan in reach(target, index.scan).items()
    }
