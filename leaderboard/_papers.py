"""Tables of published figures: which there are, and what records say of them."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.cards import TaskCard
from bench.errors import UsageError, near
from bench.published import needed
from bench.runs.record import Record

from ._paper_file import add, files, read_paper
from ._paper_rows import judged, listed

SCHEMA_VERSION = 1


def papers(names: Sequence[str], folders: Iterable[Path]) -> list[dict[str, Any]]:
    """Return the tables that are asked for, as their files say them.

    Args:
        names: names, globs, or paths of files; none: all tables.
        folders: where else rooms with a folder ``papers`` lie.

    Returns:
        Plain data; a file that can't be used has a ``problem`` and no rows.

    Raises:
        UsageError: there is no such table, or two are called alike.
    """
    found = []
    for name, path in _chosen(names, files(folders)).items():
        try:
            found.append(listed(name, read_paper(path)))
        except UsageError as error:
            empty = dict.fromkeys(("paper", "place", "read", "cost"), "")
            found.append({"name": name, **empty, "problem": str(error), "rows": []})
    return found


def _chosen(names: Sequence[str], known: Mapping[str, Path]) -> dict[str, Path]:
    if not names:
        return dict(sorted(known.items()))
    found: dict[str, Path] = {}
    for name in names:
        if name.endswith(".toml"):
            add(found, Path(name))
            continue
        fitting = {
            each: path for each, path in sorted(known.items()) if fnmatch.fnmatchcase(each, name)
        }
        if not fitting:
            raise UsageError(
                f"unknown table {name!r}.{near(name, known)} Run 'bench paper' for all "
                f"{len(known)}, or give the path of a .toml file."
            )
        for path in fitting.values():
            add(found, path)
    return found


def published(
    papers: Sequence[Mapping[str, Any]],
    records: Sequence[Record],
    tasks: Mapping[str, TaskCard],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Return tables of published figures with what records say of every row.

    Args:
        papers: what :func:`papers` returned.
        records: every record, in any order.
        tasks: ``track/name`` -> card.
        options: ``planned`` says of each ``method @ cell`` its ``task``, ``groups`` (digest of a
            cell without its seed -> device), ``problem`` and ``expected`` cost; ``stale`` holds the
            ids of records whose key is no longer the live one.

    Returns:
        Plain data, for :func:`.board.bench_render`.
    """
    planned = options.get("planned") or {}
    found = judged(papers, records, tasks, planned, options.get("stale") or set())
    for paper in found:
        for row in paper["rows"]:
            parts = [planned[name]["expected"] for name in needed(row)]
            row["expected"] = " and ".join(dict.fromkeys(filter(None, parts))) or row["cost"]
    return {"schema_version": SCHEMA_VERSION, "kind": "papers", "papers": found}
