"""Tables of published figures as files: what one holds, read strictly."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from bench.errors import UsageError

from ._text import one_line

ROOM = Path(__file__).parent
"""The built-in room; the tables lie in its folder ``papers``."""
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,60}")


class Departure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where our protocol is not the paper's."""

    what: str
    breaks: bool = False
    """Whether the two figures can't be compared because of it."""


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What figures and orderings say alike; what is left empty is the table's own."""

    metric: str = ""
    read: str = ""
    departs: tuple[str | Departure, ...] = ()
    """Departures of this row, beside those of the table."""
    cost: str = ""


class Figure(_Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A published figure."""

    method: str
    """As ``--method`` takes it; of a row without a cell any name."""
    cell: str = ""
    """``task/preset/variant``; empty: the product has no such method or task."""
    published: float | None = None
    """None: nobody has read it."""
    sd: float | None = None
    """As it is printed beside the figure; None: it is not given."""
    over: str = ""
    """What the standard deviation is over, like ``nets`` or ``seeds``."""


class Ordering(_Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A claim that one method lies above another."""

    above: str
    below: str
    cell: str
    """Of both methods."""
    below_cell: str = ""
    """Of ``below``, where it is another one."""
    by: float = 0.0
    """By how much at least, in the metric's unit."""


class Paper(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of published figures."""

    paper: str
    """Like ``arXiv:2006.05929``."""
    place: str
    """Where in it the table stands."""
    read: str = ""
    """What was read to know the figures; empty: nothing, so that none may be given."""
    metric: str = ""
    departs: tuple[str | Departure, ...] = ()
    cost: str = ""
    """What a run is expected to cost where no record tells, in words."""
    rows: tuple[Figure, ...] = ()
    orderings: tuple[Ordering, ...] = ()


def files(folders: Iterable[Path] = ()) -> dict[str, Path]:
    """Return the file of every table by its name.

    Args:
        folders: rooms of plugins, in whose folder ``papers`` tables lie too.

    Raises:
        UsageError: a name is malformed, or stands for two files.
    """
    found: dict[str, Path] = {}
    for folder in dict.fromkeys((ROOM, *folders)):
        for path in sorted((folder / "papers").glob("*.toml")):
            add(found, path)
    return found


def add(found: dict[str, Path], path: Path) -> None:
    """Add the file of a table under its name.

    Raises:
        UsageError: the name is malformed, or another file has it.
    """
    if not NAME.fullmatch(path.stem):
        raise UsageError(
            f"the table {str(path)!r} can't be called that; name it in small letters, digits and "
            "hyphens."
        )
    if found.setdefault(path.stem, path) != path:
        raise UsageError(
            f"two tables are called {path.stem!r}: {str(found[path.stem])!r} and {str(path)!r}; "
            "rename one."
        )


def read_paper(path: Path) -> Paper:
    """Read and check a table.

    Raises:
        UsageError: it can't be read, or holds what it must not; the text says what.
    """
    try:
        paper = msgspec.toml.decode(path.read_bytes(), type=Paper)
    except OSError as error:
        raise UsageError(
            f"the table {str(path)!r} can't be read ({error.strerror}); 'bench paper' lists those "
            "that are here."
        ) from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise UsageError(_unusable(path, str(error))) from None
    if problem := next(_contradictions(paper), ""):
        raise UsageError(_unusable(path, problem))
    return paper


def _unusable(path: Path, problem: str) -> str:
    return (
        f"the table {str(path)!r} can't be used: {problem}; docs/published.md says what such a "
        "file holds."
    )


def _contradictions(paper: Paper) -> Iterator[str]:
    """Yield what is wrong with a table, in its order."""
    if not paper.rows and not paper.orderings:
        yield "it has neither rows nor orderings"
    for name in ("paper", "place"):
        if not getattr(paper, name).strip():
            yield f"its {name} is empty"
    yield from (f"it has {said}" for said in _texts(paper))
    seen: set[tuple[str, ...]] = set()
    for number, row in enumerate(paper.rows, 1):
        where = one_line(f"row {number} ({row.method})")
        yield from (f"{where} has {said}" for said in _texts(row))
        yield from (f"{where} {said}" for said in _figure(row, paper))
        if row.cell and (row.method, row.cell, row.metric or paper.metric) in seen:
            yield f"{where} stands in it twice; leave one out"
        seen.add((row.method, row.cell, row.metric or paper.metric))
    for number, claim in enumerate(paper.orderings, 1):
        where = one_line(f"ordering {number} ({claim.above} above {claim.below})")
        yield from (f"{where} has {said}" for said in _texts(claim))
        yield from (f"{where} {said}" for said in _ordering(claim, paper))


def _figure(row: Figure, paper: Paper) -> Iterator[str]:
    yield from _cells(row.cell)
    if row.cell and not (row.metric or paper.metric):
        yield "has a cell and no metric; say metric in it or at the top"
    if row.published is None:
        if row.sd is not None or row.over:
            yield "has a standard deviation and no published figure; give both, or neither"
    elif not math.isfinite(row.published):
        yield f"has published = {row.published}, which is no finite number"
    elif not (row.read or paper.read).strip():
        yield (
            "has a published figure, and nothing says where it was read; say it in read, or leave "
            "published out"
        )
    if row.sd is not None and not (math.isfinite(row.sd) and row.sd >= 0):
        yield f"has sd = {row.sd}, it must be a number of at least 0"


def _ordering(claim: Ordering, paper: Paper) -> Iterator[str]:
    if not claim.cell:
        yield "has no cell"
    yield from _cells(claim.cell)
    yield from _cells(claim.below_cell)
    if not (claim.metric or paper.metric):
        yield "has no metric; say metric in it or at the top"
    if not (math.isfinite(claim.by) and claim.by >= 0):
        yield f"has by = {claim.by}, it must be a number of at least 0"
    if not (claim.read or paper.read).strip():
        yield "is a claim, and nothing says where it was read; say it in read, or leave it out"
    if (claim.above, claim.cell) == (claim.below, claim.below_cell or claim.cell):
        yield "holds a method against itself"


def _cells(cell: str) -> Iterator[str]:
    if cell and (cell.count("/") != 2 or not all(part.strip() for part in cell.split("/"))):
        yield f"has the cell {cell!r}; write it as 'task/preset/variant'"


def _texts(record: msgspec.Struct) -> Iterator[str]:
    """Yield which of a record's texts is not one line, or empty where it must not be."""
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if isinstance(value, str) and not value.isprintable():
            yield f"a {name} that is not one printable line"
        for part in value if name == "departs" else ():
            what = part if isinstance(part, str) else part.what
            if not what.strip() or not what.isprintable():
                yield "a departure that is empty or not one printable line"
    for name in ("method", "above", "below"):
        if name in record.__struct_fields__ and not getattr(record, name).strip():
            yield f"an empty {name}"
