"""What a load of data depends on besides code: files, folders, variables;
and whether all of it is still as it was.
"""

from __future__ import annotations

import hashlib
import os
import site
import stat
import sysconfig
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

LARGEST = 64 << 20
"""Bytes up to which a file that was touched is read to see whether it
changed; a larger one counts as changed.
"""

_RACY = 2_000_000_000
"""Nanoseconds: a file written this shortly before it was looked at may be written again within one
tick of its clock, so its times prove nothing.
"""

LIBRARIES = tuple(
    dict.fromkeys(
        os.path.realpath(path)
        for path in (
            sysconfig.get_path("purelib"),
            sysconfig.get_path("platlib"),
            *site.getsitepackages(),
        )
    )
)
"""Where installed libraries lie.

What lies there is named from there on, so that environments that hold the same agree.
"""

_LIBRARY = "lib:"

ROOTS = (
    "BENCH_DATA",
    "BENCH_HUB",
    "HOME",
    "XDG_DATA_HOME",
    "XDG_DATA_DIRS",
    "HF_HOME",
    "HF_DATASETS_CACHE",
    "HF_HUB_CACHE",
    "SCIKIT_LEARN_DATA",
    "TORCH_HOME",
    "R_LIBS_SITE",
)
"""Variables that say where data lies, for us or for the libraries that
read it: with another value other files may be read.
"""


class File(msgspec.Struct, frozen=True, array_like=True):
    """A file as it was: its stamp, and the digest of its bytes (empty: it
    is larger than :data:`LARGEST`).
    """

    path: str
    size: int
    mtime: int
    ctime: int
    inode: int
    digest: str = ""

    @property
    def stamp(self) -> tuple[int, int, int, int]:
        """What changes when the file does, short of reading it."""
        return self.size, self.mtime, self.ctime, self.inode


class Inputs(msgspec.Struct, kw_only=True, frozen=True):
    """What a load depended on.

    Attributes:
        files: those that were opened or looked for and found.
        folders: path -> digest of the names in it, of those that were listed.
        present: other paths that were looked for and found: folders, mostly.
        absent: paths that were looked for and not found; one of them appearing may change what is
            read.
        variables: of the environment, with their values.
        folder: the working folder, where it was asked for; empty: it does not matter.
        hub: repository and revision on the hub, where it was fetched from there: nobody asks the
            network whether it is still the same.
        noted: when, in nanoseconds.
        unseen: why this is not all that it depends on; empty: it is.
    """

    files: list[File] = []
    folders: dict[str, str] = {}
    present: list[str] = []
    absent: list[str] = []
    variables: dict[str, str | None] = {}
    folder: str = ""
    hub: str = ""
    noted: int = 0
    unseen: str = ""

    def with_(self, other: Inputs) -> Inputs:
        """Return the inputs of both."""
        return Inputs(
            files=list({file.path: file for file in (*self.files, *other.files)}.values()),
            folders=self.folders | other.folders,
            present=sorted({*self.present, *other.present}),
            absent=sorted({*self.absent, *other.absent}),
            variables=self.variables | other.variables,
            folder=self.folder or other.folder,
            hub=self.hub or other.hub,
            noted=min(self.noted, other.noted),
            unseen=self.unseen or other.unseen,
        )


class Look(msgspec.Struct, frozen=True):
    """What came of looking at inputs again: what changed, in words, and the inputs with the stamps
    of now, where those alone had changed.
    """

    changed: list[str]
    fresh: Inputs | None = None


def look(inputs: Inputs) -> Look:
    """Say what of inputs is no longer as it was.

    No data is loaded; a file that was touched is read, if it is small enough.
    """
    if inputs.unseen:
        return Look([inputs.unseen])
    changed = [
        f"${name}" for name, value in inputs.variables.items() if os.environ.get(name) != value
    ]
    if inputs.folder and inputs.folder != os.getcwd():
        changed.append("the working folder")
    changed += [path for path in inputs.absent if os.path.exists(placed(path))]
    changed += [path for path in inputs.present if not os.path.exists(placed(path))]
    changed += [path for path, digest in inputs.folders.items() if listing(placed(path)) != digest]
    fresh, restamped = [], False
    for file in inputs.files:
        now = again(file, inputs.noted)
        if now is None:
            changed.append(file.path)
        elif now is not file:
            restamped = True
        fresh.append(now or file)
    if changed or not restamped:
        return Look(changed)
    return Look([], msgspec.structs.replace(inputs, files=fresh, noted=time.time_ns()))


def named(path: str) -> str:
    """Return what inputs call a path."""
    home = next((home for home in LIBRARIES if path.startswith(home + os.sep)), None)
    return path if home is None else f"{_LIBRARY}{path[len(home) + 1 :]}"


def placed(name: str) -> str:
    """Return the path that inputs call by a name."""
    if not name.startswith(_LIBRARY):
        return name
    places = [os.path.join(home, name[len(_LIBRARY) :]) for home in LIBRARIES]
    return next((place for place in places if os.path.exists(place)), places[0])


def again(file: File, noted: int) -> File | None:
    """Return a file as it is now, the same object where its stamp proves
    that it is as it was; None where it changed or may have.
    """
    try:
        found = os.stat(placed(file.path))
    except (OSError, ValueError):
        return None
    if stamp_of(found) == file.stamp and max(file.mtime, file.ctime) < noted - _RACY:
        return file
    if not file.digest or found.st_size != file.size:
        return None
    now = read(placed(file.path))
    return now if now is not None and now.digest == file.digest else None


def stamp_of(found: os.stat_result) -> tuple[int, int, int, int]:
    """Return size, times of content and of entry, and inode."""
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def read(path: str, largest: int = LARGEST) -> File | None:
    """Return a regular file with its stamp and the digest of its bytes; None where it can't be
    read, is no file, or changes meanwhile.
    """
    try:
        before = os.stat(path)
        if not stat.S_ISREG(before.st_mode):
            return None
        digest = ""
        if before.st_size <= largest:
            with open(path, "rb") as opened:
                digest = hashlib.file_digest(opened, "sha256").hexdigest()
            if stamp_of(os.stat(path)) != stamp_of(before):
                return None
    except (OSError, ValueError):
        return None
    return File(named(path), *stamp_of(before), digest)


def listing(path: str) -> str:
    """Return the digest of the names in a folder; empty where it can't be listed."""
    try:
        names = sorted(os.listdir(path))
    except (OSError, ValueError):
        return ""
    return hashlib.sha256(
        "\0".join(name for name in names if name != "__pycache__").encode(errors="surrogateescape")
    ).hexdigest()


def kinds(paths: Iterable[str]) -> tuple[list[str], list[str], list[str]]:
    """Sort paths into regular files, other things that are there, and what is not there."""
    files: list[str] = []
    present: list[str] = []
    absent: list[str] = []
    for path in sorted(set(paths)):
        try:
            mode = os.stat(path).st_mode
        except (OSError, ValueError):
            absent.append(path)
        else:
            (files if stat.S_ISREG(mode) else present).append(path)
    return files, present, absent


def data_root() -> Path:
    """Return the folder of local datasets: ``BENCH_DATA``, else the user's data folder.

    Without a home folder it is one that is never there.
    """
    named = os.environ.get("BENCH_DATA")
    try:
        return (
            Path(named).expanduser()
            if named
            else Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser()
            / "datacentric-bench"
        )
    except RuntimeError:  # there is no such user, or no home folder
        return Path(named) if named else Path(os.devnull) / "datacentric-bench"


def short(path: str) -> str:
    """Return what to call a changed thing in a sentence: a path's last
    part, anything else as it is.
    """
    return Path(path).name if os.sep in path else path
