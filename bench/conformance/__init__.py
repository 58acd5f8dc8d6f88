"""The conformance suite: whether a plugin keeps the contracts, found out
by running it (``bench check``).
"""

from __future__ import annotations

import fnmatch
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.conformance.report import RULES, Finding, Report
from bench.errors import NothingSelected, UsageError

if TYPE_CHECKING:
    from bench.plugins.entries import Entry
    from bench.plugins.registry import Registry

__all__ = ["RULES", "Finding", "Report", "check", "entries"]


def check(
    name: str,
    *,
    tasks: Sequence[str] = (),
    plugins: Iterable[str] = (),
    device: str = "auto",
    quick: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> list[Report]:
    """Check plugins and return a report of each.

    Args:
        name: a method, task or dataset, ``track/name``, a glob, or the path of a plugin: then all
            that it registers.
        tasks: the tasks that methods are run on, names, ``track/name`` or globs; all of their
            tracks unless given.
        plugins: more files and folders to load, as ``--plugins``.
        device: where runs compute: ``auto``, ``cpu`` or ``cuda``.
        quick: one variant of one task, in this process alone.
        say: told of each run before it starts.

    Raises:
        UsageError: there is no such plugin or task, or they have no track in common.
            NothingSelected: the path registers nothing.
    """
    from bench.plugins.registry import Registry
    from bench.runs.provenance import choose_device

    registry = Registry(plugins)
    if _is_plugin(Path(name)) and not _is_a_name_beside_a_folder(registry, name):
        registry = Registry([*plugins, name])
    found = entries(registry, name)
    wanted = [
        entry for pattern in tasks for entry in registry.select("task", pattern, None, "--task")
    ]
    if wanted:  # a method of several tracks is checked in those of the tasks
        found = [
            entry
            for entry in found
            if entry.kind != "method" or entry.track in {task.track for task in wanted}
        ]
        if not found:
            raise UsageError(
                f"{name} has no track in common with {', '.join(tasks)}; 'bench list methods' "
                "shows the tracks of each."
            )
    # imports torch, which a misspelt name need not wait for
    from bench.conformance.trials import Trials

    with tempfile.TemporaryDirectory(prefix="bench-check-") as folder:
        lab = Trials(registry, Path(folder), choose_device(device), quick, say, wanted)
        return lab.reports(found)


def entries(registry: Registry, name: str) -> list[Entry]:
    """Return what a name or a path stands for.

    Raises:
        UsageError: nothing is called so. NothingSelected: the path registers nothing.
    """
    path = Path(name)
    if path.suffix == ".py" and not path.exists():
        raise UsageError(
            f"there is no file {name!r} (seen from {str(Path.cwd())!r}); give the path of a "
            "plugin, or the name of a method, task or dataset."
        )
    if _is_plugin(path) and not _is_a_name_beside_a_folder(registry, name):
        home = path.resolve()
        mine = [
            entry
            for kind in ("method", "task", "dataset")
            for entry in registry.rows(kind)
            if home
            in (Path(entry.target.path).resolve(), *Path(entry.target.path).resolve().parents)
        ]
        if not mine:
            broken = "".join(f" {item.name} is broken: {item.error}" for item in registry.broken)
            raise NothingSelected(f"{name} registers no method, task or dataset.{broken}")
        return mine
    kinds = _kinds(registry, name)
    return [entry for kind in kinds or ["method"] for entry in registry.select(kind, name)]


def _is_plugin(path: Path) -> bool:
    return path.exists() and (path.suffix == ".py" or path.is_dir())


def _kinds(registry: Registry, name: str) -> list[str]:
    """Return the kinds of plugin of which some are called so; a glob may name several."""
    every = {
        kind: {text for entry in registry.rows(kind) for text in (entry.name, entry.identity)}
        for kind in ("method", "task", "dataset")
    }
    return [kind for kind, known in every.items() if fnmatch.filter(known, name)]


def _is_a_name_beside_a_folder(registry: Registry, name: str) -> bool:
    """Say whether a folder only happens to be called like a plugin, as that of its package is."""
    from bench.plugins.discovery import holds_plugins

    folder = Path(name)
    return folder.is_dir() and not holds_plugins(folder) and bool(_kinds(registry, name))
