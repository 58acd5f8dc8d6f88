"""Finding plugins: the built-in rooms, installed distributions, and
folders or files of the user's.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pluggy

from bench.builtin import room
from bench.errors import PluginError
from bench.plugins import hookspecs
from bench.plugins.entries import Entry, TrackEntry
from bench.plugins.hookspecs import hookimpl
from bench.plugins.index import Index
from bench.plugins.installed import brings_plugins
from bench.plugins.rooms import Builtin, OneFile, Rooms
from bench.plugins.source import Target, import_module, local_target, locate
from bench.plugins.user_paths import user_paths

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_HOOKS = {
    "bench_tracks": "track",
    "bench_methods": "method",
    "bench_tasks": "task",
    "bench_datasets": "dataset",
}
_ROOMS = ("methods", "tasks", "datasets", "tracks")
ENTRY_POINTS = "bench"


class Broken(msgspec.Struct, frozen=True):
    """A plugin that can't be used, and why."""

    name: str
    source: str
    error: str


class Found(msgspec.Struct):
    """What discovery brings: entries, cards of tracks, broken plugins and
    the manager that calls the hooks.
    """

    entries: list[Entry]
    tracks: list[TrackEntry]
    broken: list[Broken]
    manager: pluggy.PluginManager


def discover(index: Index, paths: Iterable[str] = ()) -> Found:
    """Find every plugin.

    ``paths``: folders or files given by the user; those of the environment and of pyproject.toml
    are added.

    Raises:
        UsageError: a path that the user gave does not exist.
        PluginError: a plugin is broken and ``BENCH_STRICT_PLUGINS=1``.
    """
    manager = pluggy.PluginManager("bench")
    manager.add_hookspecs(hookspecs)
    found = Found([], [], [], manager)
    unwanted = set(filter(None, os.environ.get("BENCH_DISABLE_PLUGINS", "").split(",")))
    manager.register(Builtin(), "builtin")
    _add_board(manager)
    for point in _entry_points():
        source = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        if point.name not in unwanted:
            same = point.dist and point.name.replace("_", "-") == point.dist.name.replace("_", "-")
            name = source if same else f"{source} ({point.name})"
            _try(
                found,
                point.name,
                source,
                lambda point=point, name=name: manager.register(point.load(), name),  # type: ignore[misc]
            )
    given = user_paths(paths)
    for path in given:
        _try(found, path.name, str(path), lambda path=path: _add_path(manager, index, path))  # type: ignore[misc]
    _collect(found, index)
    _note_empty(found, given)
    index.save()
    return found


def _entry_points() -> list[EntryPoint]:
    """Return the entry points of installed distributions, by name."""
    if not brings_plugins():
        return []
    from importlib.metadata import entry_points

    return sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name)


def _note_empty(found: Found, given: Iterable[Path]) -> None:
    """Call a file broken that the user gave and that brings nothing: a
    card was forgotten, or a mark.
    """
    known = (
        {entry.target.path for entry in found.entries}
        | {entry.target.path for entry in found.tracks}
        | {item.source for item in found.broken}
    )
    for path in given:
        if isinstance(found.manager.get_plugin(str(path)), OneFile) and str(path) not in known:
            found.broken.append(
                Broken(
                    path.name,
                    str(path),
                    "it holds no class with a card, and no function marked with bench.hookimpl",
                )
            )


def _add_board(manager: pluggy.PluginManager) -> None:
    """Register the built-in board lazily: its code is imported when a board is asked for."""
    board = Path(room("leaderboard")) / "board.py"
    if board.is_file():
        manager.register(
            _LazyBoard(Target("bench.builtin.leaderboard.board", "", str(board))), "builtin board"
        )


class _LazyBoard:
    def __init__(self, target: Target) -> None:
        self._target = target

    @hookimpl(trylast=True)
    def bench_board(self, records: object, tasks: object, options: object) -> object:
        return import_module(self._target).bench_board(records, tasks, options)

    @hookimpl(trylast=True)
    def bench_render(self, board: object, format: str) -> object:
        return import_module(self._target).bench_render(board, format)

    @hookimpl(trylast=True)
    def bench_publish(
        self, board: object, records: object, folder: object, options: object
    ) -> object:
        return import_module(self._target).bench_publish(board, records, folder, options)

    @hookimpl(trylast=True)
    def bench_freeze(self, records: object, tasks: object, options: object) -> object:
        return import_module(self._target).bench_freeze(records, tasks, options)

    @hookimpl(trylast=True)
    def bench_compare(
        self, records: object, tasks: object, a: str, b: str, options: object
    ) -> object:
        return import_module(self._target).bench_compare(records, tasks, a, b, options)

    @hookimpl(trylast=True)
    def bench_suite(self, options: object) -> object:
        return import_module(self._target).bench_suite(options)

    @hookimpl(trylast=True)
    def bench_papers(self, options: object) -> object:
        return import_module(self._target).bench_papers(options)

    @hookimpl(trylast=True)
    def bench_published(
        self, papers: object, records: object, tasks: object, options: object
    ) -> object:
        return import_module(self._target).bench_published(papers, records, tasks, options)


def holds_plugins(folder: Path) -> bool:
    """Say whether a folder has rooms (``methods/`` and so on) or Python files of its own."""
    return bool(_rooms(folder)) or any(folder.glob("*.py"))


def _rooms(folder: Path) -> dict[str, Path]:
    return {name: folder / name for name in _ROOMS if (folder / name).is_dir()}


def _add_path(manager: pluggy.PluginManager, index: Index, path: Path) -> None:
    if path.is_dir():
        rooms = _rooms(path)
        if not holds_plugins(path):
            raise PluginError(
                f"the folder {path} holds neither rooms (methods/, tasks/, datasets/) nor Python "
                "files; if it is a package, install it with pip",
                str(path),
            )
        if rooms:
            manager.register(Rooms(rooms, root=path), str(path))
        for file in sorted(path.glob("*.py")) if not rooms else ():
            if not file.name.startswith("_"):
                _add_path(manager, index, file)
    elif path.suffix != ".py":
        raise PluginError(f"{path.name} is no Python file", str(path))
    elif index.scan(path, local_target(path, path.parent).package).hooks:
        manager.register(import_module(local_target(path, path.parent)), str(path))
    else:
        manager.register(OneFile(path), str(path))


def _try(found: Found, name: str, source: str, action: Callable[[], object]) -> None:
    try:
        action()
    except Exception as error:  # a stranger's code: whatever it raises must not stop the others
        if os.environ.get("BENCH_STRICT_PLUGINS") == "1":
            raise
        found.broken.append(
            Broken(
                name,
                source,
                f"{type(error).__name__}: {error}"
                if not isinstance(error, PluginError)
                else str(error),
            )
        )


def _collect(found: Found, index: Index) -> None:
    """Call the hooks of every plugin, each by itself, and read what it registers."""
    for hook, kind in _HOOKS.items():
        for implementation in getattr(found.manager.hook, hook).get_hookimpls():
            source = implementation.plugin_name
            register = partial(_register, found, index, kind, source)
            _try(
                found,
                source,
                source,
                lambda call=implementation, register=register: call.function(  # type: ignore[misc]
                    *[{"register": register}[name] for name in call.argnames]
                ),
            )


def _register(found: Found, index: Index, kind: str, source: str, target: object) -> None:
    label = _label(target)

    def add() -> None:
        place = _as_target(target)
        if kind != "track":
            found.entries += [entry for entry in index.entries(place, source) if entry.kind == kind]
        # whatever a file is registered for, and once
        found.tracks += [
            entry for entry in index.tracks(place, source) if entry not in found.tracks
        ]

    known = len(found.broken)
    _try(found, label, source, add)
    if found.broken[known:] and found.broken[-1] in found.broken[:known]:
        found.broken.pop()  # one file that three hooks register is broken once


def _label(target: object) -> str:
    """Return what a user knows a target by: the name of a file that is no part of a package."""
    if isinstance(target, Target):
        return Path(target.path).name if target.root else target.module
    return str(target)


def _as_target(given: object) -> Target:
    """Return the target of what a plugin registered: a target, a class,
    ``"package.module:Class"`` or a path.
    """
    if isinstance(given, Target):
        return given
    if isinstance(given, Path):
        return local_target(given.resolve(), given.resolve().parent)
    if isinstance(given, type):
        return Target(
            given.__module__,
            given.__qualname__,
            str(inspect.getsourcefile(given)),
            _root(given.__module__),
        )
    module, _, qualname = str(given).partition(":")
    root = _root(module)
    path = locate(module, Target(module, qualname, "", root))
    if path is None:
        raise PluginError(
            f"it registers {given!r}, but no module {module!r} is found; register a class or "
            "'package.module:Class'"
        )
    return Target(module, qualname, str(path), root)


def _root(module: str) -> str:
    """Return the folder that the first part of a local plugin's module
    stands for; empty for an installed one.
    """
    top = sys.modules.get(module.partition(".")[0])
    return str(top.__path__[0]) if top is not None and module.startswith("bench_local_") else ""
