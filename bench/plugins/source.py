"""Where a plugin's code lives: targets that cross process borders as plain
data, and what they reach.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench.builtin import ROOMS, room
from bench.plugins.scan import FileScan

PROTOCOL = 2
"""Stands for the code of ``bench.cli``, ``runs``, ``executors`` and ``plugins`` in every key.

Raise it when a change there changes numbers.
"""

_HARNESS = (
    "bench.cli",
    "bench.runs",
    "bench.executors",
    "bench.plugins",
    "bench.conformance",
    "bench.cards",
    "bench.errors",
    "bench.texts",
    "bench.checks",
    "bench.declared",
)
_BENCH = Path(__file__).resolve().parents[1]
_CONTRACTS = "bench.contracts"
"""What every plugin derives from, also one that imports it from ``bench``."""


Places = dict[str, tuple[tuple[str, ...], list[tuple[str, Path]]]]
"""Module -> the names that its text imports, and those of bench or the plugin with their files."""


class Target(msgspec.Struct, frozen=True, order=True):
    """A class in a module.

    ``root``: the folder that the module's first part stands for, when it is not on ``sys.path``.
    """

    module: str
    qualname: str
    path: str
    root: str = ""

    @property
    def package(self) -> str:
        """The package of the module."""
        return self.module.rpartition(".")[0]


def local_target(path: Path, root: Path, qualname: str = "") -> Target:
    """Return the target of a file outside any installed package; ``root``
    is the folder of the plugin it belongs to.
    """
    top = f"bench_local_{hashlib.blake2b(os.fsencode(root), digest_size=6).hexdigest()}"
    relative = path.relative_to(root).with_suffix("")
    return Target(".".join([top, *relative.parts]), qualname, str(path), str(root))


def import_module(target: Target) -> types.ModuleType:
    """Import the target's module; a local plugin's folder becomes a
    package of its own name first.
    """
    if target.root:
        top = target.module.partition(".")[0]
        if top not in sys.modules:
            package = types.ModuleType(top)
            package.__path__ = [target.root]
            sys.modules[top] = package
    return importlib.import_module(target.module)


def import_target(target: Target) -> type:
    """Import the class of ``target``."""
    found = import_module(target)
    for part in target.qualname.split("."):
        found = getattr(found, part)
    assert isinstance(found, type)
    return found


def locate(module: str, target: Target) -> Path | None:
    """Return the file of ``module`` if it belongs to bench or to the
    plugin of ``target``; None for a library.
    """
    top, *rest = module.split(".")
    if top == "bench":
        if rest[:1] == ["builtin"] and rest[1:2] and rest[1] in ROOMS and len(rest) > 2:
            return _file(Path(room(rest[1])), rest[2:])
        return _file(_BENCH, rest)
    if top != target.module.partition(".")[0]:
        return None
    if target.root:
        return _file(Path(target.root), rest)
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    return (
        _file(Path(spec.origin).parent, rest)
        if spec.submodule_search_locations
        else Path(spec.origin)
    )


def _file(folder: Path, parts: list[str]) -> Path | None:
    base = folder.joinpath(*parts)
    for candidate in (
        base / "__init__.py",
        *([base.with_name(base.name + ".py")] if parts else []),
    ):
        if candidate.is_file():
            return candidate
    return None


def reach(
    target: Target,
    scan: Callable[[Path, str], FileScan],
    known: Places | None = None,
) -> dict[str, FileScan]:
    """Return the scans of every file of bench or of the plugin that the target's module imports, by
    module name; the contracts are always among them.

    The harness itself (cli, runs, executors, plugins, what holds cards and names alone) is left
    out: :data:`PROTOCOL` stands for it.

    Args:
        target: where to begin.
        scan: gives the scan of a file, by its path and package.
        known: what modules import themselves, by name, and where it lies; more is added. Targets
            share most of it, and looking for files takes long.
    """
    known = {} if known is None else known
    found: dict[str, FileScan] = {}
    queue = [(target.module, Path(target.path)), (_CONTRACTS, _BENCH / "contracts.py")]
    while queue:
        module, path = queue.pop()
        if module in found:
            continue
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        found[module] = scan(path, package)
        reaches = tuple(found[module].reaches)
        if module not in known or known[module][0] != reaches:
            named = (name for name in reaches if name != "bench" and not name.startswith(_HARNESS))
            files = [(name, file) for name in named if (file := locate(name, target)) is not None]
            known[module] = reaches, files
        queue += known[module][1]
    return found


_PLACES: Places = {}
"""Of this process: what was imported from one place is not imported from another."""


def code_key(target: Target, scan: Callable[[Path, str], FileScan], kind: str) -> list[str]:
    """Return the sorted digests of the code that ``target`` reaches, as it
    is on a kind of device.
    """
    return sorted({found.digest_on(kind) for found in reach(target, scan, _PLACES).values()})
