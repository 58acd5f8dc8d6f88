"""The command that runs one cell again: whole, where it is printed;
without folders of the machine, where it is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from bench.params import changed
from bench.plugins.entries import Entry
from bench.plugins.registry import Registry, task_card
from bench.runs.plan import Cell
from bench.texts import escaped, shell_word


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """What of a command bears on how each of its runs ends, besides the cell."""

    limits: tuple[str, ...] = ()
    """Options and their values, like ``--timeout 5``."""
    executor: str = "local"


def kept(cell: Cell, registry: Registry, again: Again) -> str:
    """Return the command for a record: plugins by their file's name alone, and neither results nor
    machines, which are nobody else's business.
    """
    plugins = [escaped(Path(source).name) for source in sources(cell, registry)]
    return _line([*_cell(cell), *_plugins(plugins), *again.limits], "utf-8")


def whole(cell: Cell, registry: Registry, again: Again, results: Path, encoding: str) -> str:
    """Return the command to paste into a shell, as a terminal of an encoding shows it; results go
    to the same folder, unless it is the usual one.
    """
    words = [*_cell(cell), *_plugins(sources(cell, registry)), *again.limits]
    words += [] if again.executor == "local" else ["--executor", again.executor]
    words += (
        []
        if results.resolve() == Path("results").resolve()
        else ["--results", str(results.resolve())]
    )
    return _line(words, encoding)


def sources(cell: Cell, registry: Registry) -> list[str]:
    """Return the files and folders that ``--plugins`` must name for a
    cell: none for what is built in or installed.
    """
    entries = [entry for entry in (cell.method, cell.task) if entry is not None]
    entries += [registry.get("dataset", name) for name in task_card(cell.task).datasets]
    return list(dict.fromkeys(entry.source for entry in entries if is_local(entry)))


def is_local(entry: Entry) -> bool:
    """Say whether an entry comes from a file or folder that the user named."""
    return bool(entry.target.root)


def _cell(cell: Cell) -> list[str]:
    method = cell.method
    return cell.spec.words(
        lambda params: changed(method.name, method.params, params) if method else {}
    )


def _plugins(paths: Iterable[str]) -> list[str]:
    return [word for path in paths for word in ("--plugins", path)]


def _line(words: Iterable[str], encoding: str) -> str:
    return " ".join(shell_word(word, encoding) for word in words)
