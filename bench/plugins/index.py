"""The index: every plugin's card and parameters, read from syntax and cached by file stamp.

Nothing is imported. A class whose card or fields are not literal is described by a side process
that imports it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from bench.cards import KINDS, MethodCard, TaskCard, TrackCard
from bench.errors import PluginError
from bench.params import Param
from bench.plugins.aside import described, params_of
from bench.plugins.cache_folder import cache_folder
from bench.plugins.entries import Entry, TrackEntry
from bench.plugins.index_file import Stored, read, write
from bench.plugins.scan import ClassScan, Field, FileScan, TrackScan, scan_file, stamp
from bench.plugins.source import Target, locate
from bench.plugins.types import NotStatic, spelled, type_from_text

FORMAT = 6


class Index:
    """Scans of files by path, kept between commands."""

    def __init__(self, folder: Path | None = None) -> None:
        self._file = (folder or cache_folder()) / f"index-{FORMAT}.json"
        self._scans: dict[str, FileScan] = {}
        self._described: dict[str, dict[str, Any]] = {}
        self._fresh: set[str] = set()
        self._asked: dict[str, dict[str, str]] = {}
        self._changed = False
        try:
            stored = read(self._file)
            self._scans, self._described = dict(stored.scans), dict(stored.described)
        except (OSError, msgspec.MsgspecError):
            pass

    def scan(self, path: Path, package: str) -> FileScan:
        """Return the scan of a file, from the cache unless the file was touched."""
        key = f"{package}:{path}"
        if key not in self._fresh:
            known = self._scans.get(key)
            if known is None or known.stamp != stamp(path):
                self._scans[key] = scan_file(path, package)
                self._changed = True
            self._fresh.add(key)
        return self._scans[key]

    def save(self) -> None:
        """Write the cache if it changed; a folder that can't be written
        costs speed, nothing else.
        """
        if not self._changed:
            return
        try:
            self._scans = {
                key: scan
                for key, scan in self._scans.items()
                if key in self._fresh or Path(key.partition(":")[2]).exists()
            }
            write(self._file, Stored(self._scans, self._described))
            self._changed = False
        except OSError:
            return

    def entries(self, target: Target, source: str) -> list[Entry]:
        """Return the plugins that a file holds, one entry a track.

        Raises:
            PluginError: the file does not parse, or a card is not valid.
        """
        scan = self.scan(Path(target.path), target.package)
        if scan.error:
            raise PluginError(scan.error, source)
        found: list[Entry] = []
        for item in scan.classes:
            if item.card is not None and target.qualname in ("", item.name):
                found += self._entry(
                    msgspec.structs.replace(target, qualname=item.name), item, scan, source
                )
        return found

    def tracks(self, target: Target, source: str) -> list[TrackEntry]:
        """Return the cards of tracks that a file holds.

        Raises:
            PluginError: the file does not parse, or a card is not valid.
        """
        scan = self.scan(Path(target.path), target.package)
        if scan.error:
            raise PluginError(scan.error, source)
        wanted = [item for item in scan.tracks if target.qualname in ("", item.name)]
        return [
            self._track(msgspec.structs.replace(target, qualname=item.name), item, scan, source)
            for item in wanted
        ]

    def _track(self, target: Target, item: TrackScan, scan: FileScan, source: str) -> TrackEntry:
        """Return the entry of a track's card.

        It is never imported to be read: the module of a contract may take seconds.
        """
        try:
            if item.dynamic:
                raise NotStatic(item.dynamic)
            card = msgspec.convert(self._fill(item.card, scan, target), TrackCard)
            msgspec.json.encode(card)  # boards and pages write its texts as UTF-8
        except NotStatic as error:
            said = (
                f"the TrackCard {item.name!r} of {Path(target.path).name} can't be read "
                f"without an import ({error})"
            )
            raise PluginError(
                f"{said}; write NAME = TrackCard(...) in the module itself, with keywords and "
                "literal values",
                source,
            ) from None
        except (msgspec.ValidationError, ValueError) as error:
            raise PluginError(
                f"the TrackCard {item.name!r} of {Path(target.path).name} is not valid: {error}",
                source,
            ) from None
        return TrackEntry(card=card, target=target, source=source)

    def _entry(self, target: Target, item: ClassScan, scan: FileScan, source: str) -> list[Entry]:
        try:
            if item.dynamic or item.kind not in KINDS:
                raise NotStatic(
                    item.dynamic or "its card is no MethodCard, TaskCard or DatasetCard"
                )
            kind, raw = item.kind, self._fill(item.card, scan, target)
            params = {
                name: Param(
                    self._type(field.type, home, target),
                    self._default(field, home, target),
                    field.doc,
                )
                for name, (field, home) in self._fields(item, scan, target).items()
            }
        except NotStatic:
            said = self._describe(target, source)
            kind, raw, params = said["kind"], said["card"], params_of(said)
        try:
            card = msgspec.convert(raw, KINDS[kind])
            msgspec.json.encode(card)  # boards and pages write its texts as UTF-8
        except (msgspec.ValidationError, ValueError) as error:
            raise PluginError(f"{target.qualname}'s card is not valid: {error}", source) from None
        tracks = (
            card.tracks
            if isinstance(card, MethodCard)
            else (card.track,)
            if isinstance(card, TaskCard)
            else ("",)
        )
        return [
            Entry(kind=kind, track=track, card=card, params=params, target=target, source=source)
            for track in tracks
        ]

    def _fields(
        self, item: ClassScan, scan: FileScan, target: Target
    ) -> dict[str, tuple[Field, FileScan]]:
        """Return the fields of a class and its bases, each with the file that it stands in, whose
        names its type and default may use.
        """
        return {
            name: (field, home)
            for each, home in reversed(self._order(item, scan, target))
            for name, field in each.fields.items()
        }

    def _order(
        self, item: ClassScan, scan: FileScan, target: Target
    ) -> list[tuple[ClassScan, FileScan]]:
        """Return a class and its bases as Python looks through them: shared ones come last."""
        found = [(item, scan)]
        for base in item.bases:
            if (home := self._find(base, scan, target)) is not None:
                found += self._order(*home, target)
        kept = {id(each): (each, home) for each, home in reversed(found)}
        return list(reversed(kept.values()))

    def _find(self, base: str, scan: FileScan, target: Target) -> tuple[ClassScan, FileScan] | None:
        """Return the class that ``base`` names in the file of ``scan``,
        followed through imports; None for a contract class.
        """
        for item in scan.classes:
            if item.name == base:
                return item, scan
        first, _, rest = base.partition(".")
        home = scan.imports.get(first) or (
            f"bench:{first}"
            if scan.imports.get("*") == "bench:*" and first in ("Method", "Task", "Dataset")
            else None
        )
        if home is None:
            raise NotStatic(f"base class {base}")
        module, _, name = home.partition(":")
        if module in ("bench", "bench.contracts"):
            return None
        path = locate(module, target)
        if path is None or (rest and name):
            raise NotStatic(f"base class {base}")
        return self._find(
            name or rest,
            self.scan(path, module if path.name == "__init__.py" else module.rpartition(".")[0]),
            target,
        )

    def _fill(self, value: Any, scan: FileScan, target: Target) -> Any:
        """Replace names in a card by the module constants they stand for."""
        if isinstance(value, list):
            return [part for item in value for part in self._parts(item, scan, target)]
        if not isinstance(value, dict):
            return value
        if "$name" in value:
            return self._fill(*self._named(value["$name"], scan, target), target)
        if "$text" in value:
            parts = self._fill(value["$text"], scan, target)
            if all(isinstance(part, str) for part in parts):
                return "".join(parts)
        if "$text" in value or "$type" in value:
            raise NotStatic("what is computed")
        return {key: self._fill(item, scan, target) for key, item in value.items()}

    def _named(self, name: str, scan: FileScan, target: Target) -> tuple[Any, FileScan]:
        """Return the module constant that a name stands for, and the file that it stands in."""
        if name in scan.constants:
            return scan.constants[name], scan
        module, _, original = scan.imports.get(name, "").partition(":")
        path = locate(module, target) if original else None
        if path is None:
            raise NotStatic(f"the name {name}")
        return self._named(original, self.scan(path, module.rpartition(".")[0]), target)

    def _type(self, text: str, scan: FileScan, target: Target) -> Any:
        """Return the type of a field, whose annotation may use names of its file."""

        def meaning(name: str) -> str | None:
            found, _ = self._named(name, scan, target)
            return found.get("$type") if isinstance(found, dict) else None

        try:
            return type_from_text(text)
        except NotStatic:  # few annotations do
            return type_from_text(spelled(text, meaning))

    def _parts(self, item: Any, scan: FileScan, target: Target) -> list[Any]:
        """Return one item of a list, or those of the list that ``*NAME`` spreads out."""
        spread = isinstance(item, dict) and set(item) == {"$spread"}
        filled = self._fill(item["$spread"] if spread else item, scan, target)
        if not spread:
            return [filled]
        if not isinstance(filled, list):
            raise NotStatic("what is spread out by a star")
        return filled

    def _default(self, field: Field, scan: FileScan, target: Target) -> Any:
        value = msgspec.UNSET if field.required else self._fill(field.default, scan, target)
        return tuple(value) if isinstance(value, list) else value

    def _describe(self, target: Target, source: str) -> dict[str, Any]:
        known = f"{target.module}:{{}}:{stamp(Path(target.path))}"
        key = known.format(target.qualname)
        if key not in self._described and target.module not in self._asked:
            self._asked[target.module] = self._ask(target, known)
        if key not in self._described:
            wrong = self._asked[target.module]
            said = (
                wrong.get(target.qualname)
                or wrong.get("")
                or "the file has no such class once it is imported"
            )
            raise PluginError(
                f"{target.qualname} could not be imported to read its card: {said}", source
            )
        return self._described[key]

    def _ask(self, target: Target, known: str) -> dict[str, str]:
        """Have a side process import a file, once for all its classes, and return what is wrong by
        class; of no class: with the whole file.
        """
        found = described(target)
        if isinstance(found, str):
            return {"": found}
        self._described |= {
            known.format(name): said for name, said in found.items() if isinstance(said, dict)
        }
        self._changed = True
        return {name: said for name, said in found.items() if isinstance(said, str)}
