"""Tell the problems of one run apart in the cache, whose key holds the data of all of them."""

from __future__ import annotations

import hashlib

from bench.tracks.condensation import Problem


def digest(problem: Problem) -> str:
    """Return a name for the images and labels of a problem, for the recipe of what is made of them.

    A run of several problems (classes that arrive in steps) would otherwise take for every one of
    them what was made for the first.
    """
    found = hashlib.sha256()
    for tensor in (problem.x, problem.y):
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]
