"""What is known of data without loading it: a file in the cache folder for each call of a dataset.

Losing it costs a load, never a wrong number.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from bench.digests import digest
from bench.files import put
from bench.plugins.source import Target
from bench.runs.data_calls import call_text
from bench.runs.inputs import File, Inputs, again, look, read
from bench.texts import escaped

FORMAT = 1

_EARLIER = 8
"""Contents of a call of which it is kept from which files they came."""


class Want(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a dataset on this machine.

    Attributes:
        name: of the dataset.
        params: those that differ from its defaults.
        target: its class.
        code: digests of the code that it reaches.
        versions: of the libraries that it uses, and their kernels.
        device: ``cpu`` or ``cuda``.
        had: how its card says that one gets it.
        stream: the task and the seed for which it is loaded; they matter only where it draws from
            streams of the run.
    """

    name: str
    params: dict[str, Any]
    target: Target
    code: list[str]
    versions: dict[str, str]
    device: str
    had: str
    stream: tuple[str, int]

    @property
    def call(self) -> str:
        """The call as records and notes write it."""
        return call_text(self.name, self.params)

    def identity(self, drawn: bool = False) -> str:
        """Return the digest of all that a load depends on besides its inputs.

        A copy of a plugin elsewhere may read other files.
        """
        return digest(
            [
                self.name,
                self.params,
                self.target,
                self.code,
                self.versions,
                self.device,
                *(self.stream if drawn else ()),
            ]
        )


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a load gave and what it depended on.

    ``drawn``: it also drew from streams of the run, so that each task and seed has an entry of its
    own.
    """

    fingerprint: str
    inputs: Inputs
    drawn: bool = False
    earlier: dict[str, dict[str, str]] = {}
    """Fingerprint of earlier loads -> the digests of the files that they
    read, so that a change has a name.
    """


class State(msgspec.Struct, frozen=True):
    """What is known of a call: its fingerprint, empty where a load must tell; and what changed
    since the last load, if there was one.
    """

    fingerprint: str
    changed: list[str] = []


class _Content(msgspec.Struct, frozen=True):
    file: File
    noted: int


class DataIndex:
    """The entries in a cache folder."""

    def __init__(self, cache: Path) -> None:
        self._folder = cache / "data"

    def state(self, want: Want) -> State:
        """Say what is known of a call now."""
        known = self.get(want)
        if known is None:
            return State("")
        found = look(known.inputs)
        if found.changed:
            return State("", found.changed)
        if found.fresh is not None:
            self.put(want, msgspec.structs.replace(known, inputs=found.fresh))
        return State(known.fingerprint)

    def get(self, want: Want) -> Known | None:
        """Return the entry of a call, however old; None where there is none that can be trusted."""
        known: Known | None = self._read(want.identity(), Known)
        if known is not None and known.drawn:
            known = self._read(want.identity(drawn=True), Known)
        return known

    def draws(self, want: Want) -> bool:
        """Say whether a call is known to draw from streams of the run, so
        that it differs by task and seed.
        """
        known = self._read(want.identity(), Known)
        return known is not None and known.drawn

    def put(self, want: Want, known: Known) -> None:
        """Keep what is known of a call, and which files it was made of
        when it was something else.
        """
        before = self.get(want)
        if before is not None:
            earlier = {
                **before.earlier,
                before.fingerprint: {file.path: file.digest for file in before.inputs.files},
            }
            earlier.pop(known.fingerprint, None)
            known = msgspec.structs.replace(known, earlier=dict(list(earlier.items())[-_EARLIER:]))
        self._write(want.identity(), known)
        if known.drawn:
            self._write(want.identity(drawn=True), known)

    def differing(self, want: Want, fingerprint: str) -> list[str]:
        """Return the files that were other ones when a call had a
        fingerprint; none where that is not known.
        """
        known = self.get(want)
        then = known.earlier.get(fingerprint) if known is not None else None
        if known is None or then is None:
            return []
        now = {file.path: file.digest for file in known.inputs.files}
        return [
            path
            for path in sorted({*then, *now})
            if then.get(path) != now.get(path) or not now.get(path)
        ]

    def drop(self, want: Want) -> None:
        """Forget a call."""
        with contextlib.suppress(OSError):
            self._path(want.identity()).unlink()

    # Files that tasks and methods open themselves ----------------------------------------

    def places(self, owner: str) -> dict[str, str]:
        """Return where the files lie that records of a task or method
        name: what a record calls it -> path.
        """
        return self._read(digest(["places", owner]), dict[str, str]) or {}

    def put_places(self, owner: str, found: Mapping[str, str]) -> None:
        """Add to :meth:`places`."""
        known = self.places(owner)
        if any(known.get(name) != path for name, path in found.items()):
            self._write(digest(["places", owner]), known | dict(found))

    def content(self, path: str) -> str:
        """Return the digest of a file's bytes, read only where its stamp does not prove that they
        are as they were; empty where it can't be read.
        """
        place, noted = digest(["content", path]), time.time_ns()
        known: _Content | None = self._read(place, _Content)
        now = again(known.file, known.noted) if known is not None else None
        if known is not None and now is known.file:
            return now.digest
        now = now or read(path, largest=1 << 62)
        if now is not None:
            self._write(place, _Content(now, noted))
        return now.digest if now is not None else ""

    # On the disk ---------------------------------------------------------------------------

    def _path(self, identity: str) -> Path:
        return self._folder / f"{identity}-{FORMAT}"

    def _read(self, identity: str, kind: Any) -> Any:
        try:
            data = self._path(identity).read_bytes()
            if hashlib.blake2b(data[16:], digest_size=16).digest() == data[:16]:
                return msgspec.convert(json.loads(data[16:]), kind)
        except (OSError, ValueError, msgspec.ValidationError):
            pass
        return None

    def _write(self, identity: str, value: Any) -> None:
        """Write an entry, whole or not at all; a folder that can't be
        written costs speed, nothing else.
        """
        # not msgspec's JSON: a path need not be UTF-8
        data = json.dumps(msgspec.to_builtins(value)).encode()
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            put(self._path(identity), hashlib.blake2b(data, digest_size=16).digest() + data)


# Calls as text ---------------------------------------------------------------------------------


def changes_said(changed: Iterable[str]) -> str:
    """Say in a few words what changed."""
    from bench.runs.inputs import short

    names = list(dict.fromkeys(escaped(short(path)) for path in changed))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
