"""What a load of data asks the system for: an audit hook hears it, and a look at what is asked of
``os`` meanwhile.

A hook hears every file that is opened through Python, and every folder that is listed. Files that
C++ code opens are seen where they were looked for first (``Path.is_file``, a listing), where the
kernel tells of them (:mod:`bench.runs.inotify`), or where the dataset says so (``run.reads``).
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import msgspec

from bench.runs.call_stack import from_plugin, quoting_code, reading_code
from bench.runs.gathering import gathered
from bench.runs.inotify import OpenedFiles
from bench.runs.inputs import Inputs, placed, stamp_of
from bench.runs.os_calls import getcwd, stat, unwrap, wrap
from bench.runs.paths import absolute, database, ignored, ours, writes

NETWORK = "it is read over the network"
_STARTS = ("subprocess.Popen", "os.system", "os.posix_spawn", "os.exec", "os.spawn", "pty.spawn")
_FORKS = ("os.fork", "os.forkpty")
"""What a child of ours reads is heard by the child alone."""
_active: list[ReadObserver] = []
_cache: tuple[str, ...] = ()
_installed, _aside = False, 0


class ReadObserver:
    """Notes what is asked of the system while it is entered.

    Args:
        homes: folders in which files are seen even where C++ code opens them.
        thorough: True: note all that a load may depend on. False: note opened files alone, which
            costs nothing.
        apart: whether what datasets read is left out: it is told by their fingerprints.
    """

    def __init__(
        self, homes: tuple[str, ...] = (), thorough: bool = True, apart: bool = False
    ) -> None:
        self._thorough, self.homes, self.apart, self.paused = thorough, homes, apart, False
        self._before: dict[str, tuple[int, int, int, int]] = {}
        self._read: dict[str, None] = {}
        self._asked: dict[str, None] = {}
        self._listed: dict[str, None] = {}
        self._written: dict[str, None] = {}
        self._names: dict[str, str | None] = {}
        self._folder, self._unseen, self.hub = "", "", ""
        self._known: list[Inputs] = []
        self._opened: OpenedFiles | None = None

    def __enter__(self) -> ReadObserver:
        global _cache
        _install()
        with aside():
            _cache = ours()
        if self._thorough:
            with aside():
                self._opened = OpenedFiles(self.homes)
            if not any(other._thorough for other in _active):
                wrap(_looked, _folder_asked, _name_asked)
        _active.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _active.remove(self)
        if self._thorough and not any(other._thorough for other in _active):
            unwrap()
        if self._opened is not None:
            self._read |= dict.fromkeys(
                path
                for path in self._opened.close()
                if path not in self._written and not ignored(path, _cache)
            )

    # What is heard ---------------------------------------------------------------

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note an event of Python's audit."""
        if event in ("open", "sqlite3.connect"):
            if (
                (path := absolute(arguments[0] if event == "open" else database(arguments[0])))
                and not ignored(path, _cache)
                and not reading_code(_homes())
            ):
                if event == "open" and writes(arguments):
                    self._written[path] = None
                else:
                    self._note(path)
                    if self._thorough and not os.path.isabs(os.fsdecode(arguments[0])):
                        self._folder = getcwd()
        elif not self._thorough:
            return
        elif event in ("os.listdir", "os.scandir"):
            if (
                (path := absolute("." if arguments[0] is None else arguments[0]))
                and not ignored(path, _cache)
                and not reading_code(_homes())
            ):
                self._listed[path] = None
                self._watch(path)
        elif event == "socket.connect":
            if not isinstance(arguments[1], str | bytes):  # a local socket is no source of data
                self._unseen = NETWORK
        elif event in _FORKS or (event in _STARTS and from_plugin(_homes())):
            self._unseen = "another process reads it"

    def _note(self, path: str) -> None:
        if path not in self._before and path not in self._written:
            with contextlib.suppress(OSError, ValueError):
                self._before[path] = stamp_of(stat(path))
        self._read[path] = None
        self._watch(os.path.dirname(path))

    def _watch(self, folder: str) -> None:
        if self._opened is not None:
            self._opened.watch(folder)

    def asked(self, path: str) -> None:
        """Note that somebody looked whether a path is there."""
        if not ignored(path, _cache):
            self._asked[path] = None
            self._watch(os.path.dirname(path))

    def stated(self, path: str, folders: list[tuple[str, list[str]]]) -> None:
        """Note what is said to be read: a path, or folders with the files in them."""
        inside = [os.path.join(base, file) for base, files in folders for file in files]
        for name in [path] if path else inside:
            (self._asked if self._thorough else self._read)[name] = None
        if self._thorough:
            self._listed |= dict.fromkeys(base for base, _ in folders)

    def named(self, name: str) -> None:
        """Note that a variable of the environment was read."""
        known = os.environ._data.get(os.environ.encodekey(name))  # type: ignore[attr-defined]
        self._names.setdefault(name, known and os.fsdecode(known))

    def here(self) -> None:
        """Note that the working folder was asked for."""
        self._folder = getcwd()

    def known(self, inputs: Inputs) -> None:
        """Note what something that was made before depended on when it was made."""
        self._known.append(inputs)

    # What comes of it ---------------------------------------------------------------

    def files(self) -> list[str]:
        """Return the files that were read and not written first."""
        earlier = [placed(file.path) for item in self._known for file in item.files]
        return [
            path
            for path in (*self._read, *earlier)
            if path not in self._written or path in self._before
        ]

    def inputs(self, empty: str = "") -> Inputs:
        """Return what was noted, as it is now.

        Args:
            empty: why there may be more, where nothing at all was seen.
        """
        began = time.time_ns()
        with aside():
            looked = {path for path in self._asked if path not in self._written}
            total = gathered({*self.files(), *looked}, self._listed, self._before, self._unseen)
        if empty and not (
            total.files
            or total.folders
            or self.hub
            or any(item.files or item.folders or item.hub for item in self._known)
        ):
            total = msgspec.structs.replace(total, unseen=total.unseen or empty)
        total = msgspec.structs.replace(
            total, variables=self._names, folder=self._folder, hub=self.hub, noted=began
        )
        for item in self._known:
            total = total.with_(item)
        return total


def noted(inputs: Inputs) -> None:
    """Tell whoever notices now what something that was made before depended on."""
    for observer in _hearing():
        observer.known(inputs)


def stated(path: Any) -> None:
    """Note a path that a dataset or a task says it reads, whether it is
    there or not; of a folder all that is in it.
    """
    text = absolute(path)
    with aside():
        folders = [(base, files) for base, _, files in os.walk(text)] if os.path.isdir(text) else []
    for observer in _hearing():
        observer.stated(text if not folders else "", folders)


@contextlib.contextmanager
def fetching(name: str) -> Iterator[None]:
    """Note a repository and revision of the hub, and nothing else
    meanwhile: what lies there under a revision stays what it is.
    """
    for observer in _hearing():
        observer.hub = name
    with aside():
        yield


@contextlib.contextmanager
def unnoticed() -> Iterator[None]:
    """Have those to whom a dataset is told by its fingerprint not hear of its files."""
    pausing = [observer for observer in _active if observer.apart and not observer.paused]
    for observer in pausing:
        observer.paused = True
    try:
        yield
    finally:
        for observer in pausing:
            observer.paused = False


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """Notice nothing meanwhile: what the harness does is no input."""
    global _aside
    _aside += 1
    try:
        yield
    finally:
        _aside -= 1


@contextlib.contextmanager
def attentive() -> Iterator[None]:
    """Notice again, inside :func:`aside`: a plugin's code is called back."""
    global _aside
    before, _aside = _aside, 0
    try:
        yield
    finally:
        _aside = before


# Where it is heard ---------------------------------------------------------------------


def _hearing() -> list[ReadObserver]:
    return [observer for observer in _active if not observer.paused]


def _install() -> None:
    global _installed  # the hook stays: it can't be taken out of a process
    if not _installed:
        sys.addaudithook(_hear)
        _installed = True


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if (
        _active
        and not _aside
        and (
            event in ("open", "os.listdir", "os.scandir", "sqlite3.connect", "socket.connect")
            or event in _STARTS
            or event in _FORKS
        )
    ):
        for observer in _hearing():
            observer.hear(event, arguments)


def _looked(path: Any, options: dict[str, Any]) -> None:
    if not _aside and not options.get("dir_fd") and (text := absolute(path)) and not quoting_code():
        for observer in _hearing():
            observer.asked(text)


def _folder_asked() -> None:
    if not _aside and from_plugin(_homes()):
        for observer in _hearing():
            observer.here()


def _name_asked(name: Any) -> None:
    if not _aside and isinstance(name, str) and from_plugin(_homes()):
        for observer in _hearing():
            observer.named(name)


def _homes() -> tuple[str, ...]:
    return tuple(home for observer in _active for home in observer.homes)
