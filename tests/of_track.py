"""Name the tests of a track: ``make test TRACK=noisy-labels`` runs what ``python tests/of_track.py
noisy-labels`` prints.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.errors import near
from bench.plugins.registry import Registry

TESTS = Path(__file__).parent


def of_track(track: str) -> list[str]:
    """Return the folders and files of tests, by their paths below the repository.

    Tests lie in folders named after those of methods and tasks, which several tracks may share.

    Raises:
        ValueError: there is no such track.
    """
    registry = Registry()
    if track not in registry.tracks():
        raise ValueError(
            f"there is no track {track!r}.{near(track, registry.tracks())} Tracks: "
            f"{', '.join(registry.tracks())}."
        )
    names = {
        Path(entry.target.path).parent.name
        for kind in ("method", "task")
        for entry in registry.rows(kind)
        if track in (entry.card.tracks if kind == "method" else (entry.card.track,))
    }
    names.add(track.replace("-", "_"))
    found = [
        path
        for name in sorted(names)
        for pattern in (
            f"methods/{name}",
            f"tasks/{name}",
            f"tracks/{name}",
            f"tracks/test_{name}*",
        )
        for path in sorted(TESTS.glob(pattern))
    ]
    return [str(path.relative_to(TESTS.parent)) for path in found]


if __name__ == "__main__":
    try:
        print(*of_track(sys.argv[1]))
    except ValueError as error:
        sys.exit(f"make: {error}")
