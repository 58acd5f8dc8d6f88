"""Files that plugins open while they are imported, as by a table read at the top of a module: what
the classes in it compute depends on them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.plugins.scan import FileScan
from bench.plugins.source import Target, import_target, reach
from bench.runs.loaded_modules import mark, since
from bench.runs.read_observer import ReadObserver, unnoticed

_opened: list[tuple[frozenset[str], tuple[str, ...]]] = []
"""Modules that were imported together -> the files that were opened meanwhile.

A process imports a module once, so this is kept for all of its runs.
"""


def imported(target: Target) -> type:
    """Import the class of a target, and remember what was opened meanwhile."""
    if target.module in sys.modules:
        return import_target(target)
    before = mark()
    with unnoticed(), ReadObserver(thorough=False) as observer:
        found = import_target(target)
    if files := observer.files():
        _opened.append((frozenset(since(before)), tuple(files)))
    return found


def opened_by(targets: Sequence[Target], scan: Callable[[Path, str], FileScan]) -> list[str]:
    """Return the files that the modules which targets reach opened when they were imported."""
    if not _opened:
        return []
    modules = {module for target in targets for module in (target.module, *reach(target, scan))}
    return list(
        dict.fromkeys(path for names, files in _opened if names & modules for path in files)
    )
