"""Which modules are loaded, found without a look at all of them.

A forked process shares its memory with the server until it writes there, and to look at a name
counts a reference on it. A walk over all names of ``sys.modules`` copies a thousand pages.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from types import ModuleType
from typing import NamedTuple


class Mark(NamedTuple):
    """A place in the order in which modules were loaded: the youngest one then, and how many."""

    name: str
    module: ModuleType | None
    position: int


_NOTHING = Mark("", None, 0)
_by_home: dict[str, dict[str, None]] = {}
_seen = _NOTHING


def mark() -> Mark:
    """Return the place of what is loaded now."""
    name = next(reversed(sys.modules), "")
    return Mark(name, sys.modules.get(name), len(sys.modules))


def since(place: Mark) -> list[str]:
    """Return the names added after a place, oldest first; all of them where modules were taken out
    before it, so that the place can't be found again.
    """
    added: list[str] = []
    if sys.modules.get(place.name) is place.module:
        for each in reversed(sys.modules):
            if each == place.name:
                if len(sys.modules) - len(added) == place.position:
                    return added[::-1]
                break
            added.append(each)
    return list(sys.modules)


def below(homes: Collection[str]) -> list[str]:
    """Return the names of all loaded modules and packages whose first part is one of ``homes``."""
    global _seen
    for name in since(_seen):
        _by_home.setdefault(name.partition(".")[0], {})[name] = None
    _seen = mark()
    return [name for home in homes for name in _by_home.get(home, {}) if name in sys.modules]
