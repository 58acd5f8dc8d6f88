"""What is installed, read from the folders of the path: ``importlib.metadata`` takes as long to
import as a listing takes in all.

Whatever is not a plain folder (an egg, a zip, another kind of finder) is left to it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.machinery
import itertools
import os
import re
import sys
from pathlib import Path

_NAMED = {"sklearn": "scikit-learn", "PIL": "pillow"}
"""Import name -> distribution, where these differ in more than the hyphen."""
_SECTION = re.compile(rb"^\s*\[\s*bench\s*\]", re.MULTILINE)


def distribution_of(name: str) -> str:
    """Return the likely name of the distribution that a module is imported from."""
    return _NAMED.get(name, name.replace("_", "-"))


@functools.cache
def folders(path: tuple[str, ...]) -> dict[str, Path] | None:
    """Return the folders of what is installed, by normalised name, the first on the path; None
    where something on it is no plain folder.

    Args:
        path: ``sys.path``.
    """
    if any(
        hasattr(finder, "find_distributions") and finder is not importlib.machinery.PathFinder
        for finder in sys.meta_path
        if getattr(finder, "__module__", "") != "importlib.metadata"
    ):
        return None
    found: dict[str, Path] = {}
    for entry in dict.fromkeys(path):
        place = entry or "."
        try:
            names = os.listdir(place)  # noqa: PTH208 - a folder of thousands, once a command
        except NotADirectoryError:
            return None
        except OSError:
            continue
        for name in names:
            if name.endswith(".egg") or (
                name.endswith(".egg-info") and not os.path.isdir(f"{place}/{name}")  # noqa: PTH112
            ):
                return None
            if name.endswith((".dist-info", ".egg-info")):
                own = name.rpartition(".")[0].partition("-")[0]
                found.setdefault(normalised(own), Path(place, name))
    return found


def normalised(name: str) -> str:
    """Return a distribution's name as all ways to write it have it in common."""
    return re.sub(r"[-_.]+", "-", name).lower()


def brings_plugins() -> bool:
    """Say whether anything installed may have an entry point of the group ``bench``."""
    known = folders(tuple(sys.path))
    if known is None:
        return True
    for folder in known.values():
        try:
            text = (folder / "entry_points.txt").read_bytes()
        except OSError:
            continue
        if b"bench" in text and _SECTION.search(text):
            return True
    return False


def version_of(name: str) -> str | None:
    """Return the version of a distribution; None: it is not installed."""
    known = folders(tuple(sys.path))
    if known is None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version(name)
        except PackageNotFoundError:
            return None
    folder = known.get(normalised(name))
    for page in ("METADATA", "PKG-INFO") if folder else ():
        found = _version_on(Path(str(folder), page))
        if found:
            return found
    return None


def _version_on(page: Path) -> str:
    """Return the version that a page says in its head; empty where it says none."""
    with contextlib.suppress(OSError), page.open(encoding="utf-8", errors="replace") as lines:
        # the page goes on with the whole description of the project
        for line in itertools.takewhile(str.strip, lines):
            if found := re.match(r"Version: *(\S+) *$", line):
                return found[1]
    return ""
