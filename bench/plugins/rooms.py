"""Folders and files as plugins: whatever lies in their rooms is registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from bench import tracks
from bench.builtin import room
from bench.plugins.hookspecs import hookimpl
from bench.plugins.source import Target, local_target


class Rooms:
    """A benchmark folder as a plugin: registers every file of its rooms.

    ``package``: the import name of the rooms' parent.
    """

    def __init__(
        self, folders: dict[str, Path], package: str = "", root: Path | None = None
    ) -> None:
        self._folders, self._package, self._root = folders, package, root

    def _targets(self, name: str) -> Iterator[Target]:
        folder = self._folders[name]
        for path in sorted(folder.rglob("*.py")):
            relative = path.relative_to(folder).with_suffix("")
            if any(
                part.startswith(("_", "."))
                for part in relative.parts
                if (name, part) != ("tracks", "__init__")
            ):
                continue
            if self._root is None:
                yield Target(".".join([self._package, name, *relative.parts]), "", str(path))
            else:
                yield local_target(path, self._root)

    def _register(self, name: str, register: Callable[[Target], None]) -> None:
        for target in self._targets(name) if name in self._folders else ():
            register(target)

    @hookimpl
    def bench_tracks(self, register: Callable[[Target], None]) -> None:
        """Register the room ``tracks``, and the files beside the rooms of a folder that hold the
        card of a track: contracts stand there.
        """
        self._register("tracks", register)
        for path in sorted(self._root.glob("*.py")) if self._root else ():
            if not path.name.startswith("_") and b"TrackCard" in path.read_bytes():
                register(local_target(path, self._root))  # type: ignore[arg-type]

    @hookimpl
    def bench_methods(self, register: Callable[[Target], None]) -> None:
        """Register the room ``methods``."""
        self._register("methods", register)

    @hookimpl
    def bench_tasks(self, register: Callable[[Target], None]) -> None:
        """Register the room ``tasks``."""
        self._register("tasks", register)

    @hookimpl
    def bench_datasets(self, register: Callable[[Target], None]) -> None:
        """Register the room ``datasets``."""
        self._register("datasets", register)


class Builtin(Rooms):
    """What comes with this package: its rooms, and the contracts of its tracks."""

    def __init__(self) -> None:
        super().__init__(
            {name: Path(room(name)) for name in ("methods", "tasks", "datasets")}, "bench.builtin"
        )

    @hookimpl
    def bench_tracks(self, register: Callable[[Target], None]) -> None:
        """Register the modules of ``bench.tracks``."""
        folder = Path(tracks.__file__).parent
        for path in sorted([*folder.glob("[!_]*.py"), *folder.glob("*/__init__.py")]):
            register(
                Target(
                    f"bench.tracks.{path.parent.name if path.stem == '__init__' else path.stem}",
                    "",
                    str(path),
                )
            )


class OneFile(Rooms):
    """A single file as a plugin: whatever cards it holds are registered."""

    def __init__(self, path: Path) -> None:
        super().__init__({})
        self._target = local_target(path, path.parent)

    def _register(self, name: str, register: Callable[[Target], None]) -> None:
        register(self._target)
