"""The built-in benchmark: the rooms of this repository, importable as ``bench.builtin.methods`` and
so on.

In a checkout the rooms are the repository's top-level folders; in a wheel they lie inside this
package.
"""

from __future__ import annotations

import functools
from pathlib import Path

ROOMS = ("methods", "tasks", "datasets", "leaderboard")


@functools.cache
def room(name: str) -> str:
    """Return the folder of the room ``name``, which may be a dotted module name that ends in it."""
    name = name.rpartition(".")[2]
    checkout = Path(__file__).resolve().parents[2]
    here = Path(__file__).parent / name
    return str(
        checkout / name
        if (checkout / "pyproject.toml").is_file() and (checkout / name).is_dir()
        else here
    )
