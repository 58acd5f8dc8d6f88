"""Which modules are loaded, found without a look at all of them.

A forked process shares its memory with the server until it writes there, and to look at a name
counts a reference on it. A walk over all names of ``sys.modules`` copies a thousand pages.
"""

from __future__ import annotations

import sys
from collections.abc import Collection

_by_home: dict[str, dict[str, None]] = {}
_seen: str | None = None
"""The youngest name that ``_by_home`` has."""


def youngest() -> str | None:
    """Return the name that was added last."""
    return next(reversed(sys.modules), None)


def since(name: str | None) -> list[str]:
    """Return the names added after ``name``, oldest first; all of them if it is no longer there."""
    added = []
    for each in reversed(sys.modules):
        if each == name:
            break
        added.append(each)
    return added[::-1]


def below(homes: Collection[str]) -> list[str]:
    """Return the names of all loaded modules and packages whose first part is one of ``homes``."""
    global _seen
    for name in since(_seen):
        _by_home.setdefault(name.partition(".")[0], {})[name] = None
    _seen = youngest()
    return [name for home in homes for name in _by_home.get(home, {}) if name in sys.modules]
