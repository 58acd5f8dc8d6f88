"""Where a record lies in a folder of results."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """Where a record lies: a file below the results folder and, in an
    export, its line (from 1; 0: the whole file).
    """

    name: str
    path: str
    line: int
    start: int
    length: int
    digest: bytes
