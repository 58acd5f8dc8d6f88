"""A part of the docs that is generated from committed records: what the first methods of a track
reach on every dataset of a suite, in the unit of the metric.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from statistics import fmean
from typing import Any

from tables_cards import _plain, registry
from tables_records import records

from bench.cli._board import make_board


@functools.cache
def datasets(suite: str, track: str, first: str = "6") -> str:
    """Return, as Markdown, the means on each dataset of the ``first`` methods, of the baseline, of
    the best plain one and of the upper reference, with the mean score over datasets, and what is
    left out of it with the reason; a sentence where the suite's runs are not all committed.
    """
    chosen = {"suite": suite, "track": track, "tier": "default"}
    board = make_board(registry(), records(), chosen)
    found = next((found for found in board["tracks"] if found["track"] == track), None)
    if found is None or not (found.get("datasets") or {}).get("rows"):
        return f"\nThe runs of the suite `{suite}` on `{track}` are not all committed yet.\n\n"
    sets = found["datasets"]
    homes = _homes(found)
    rows = {row["method"]: row for row in sets["rows"]}
    scored = [cell for cell in found["cells"] if cell["state"] == "scored"]
    low, upper = scored[0]["low"]["name"], scored[0]["high"]
    high = upper["name"]
    best = f"`{high}`" if high else f"{upper['value']:g} ({upper['why']})"
    names = list(rows)[: int(first)]
    names += [name for name in rows if name in (low, found["best_plain"]) and name not in names]
    titles = _titles(track, scored)
    plain = {row["method"] for row in found["rows"] if row["plain"]}
    failed = {name: row["imputed"] for row in found["rows"] if (name := row["method"]) in names}
    primary, unit = _primary(board, scored[0])
    several = len(sets["datasets"]) > 1
    score = "mean score [95 %]" if several else "score"
    lines = [
        f"| method | {' | '.join(sets['datasets'])} | {score} |",
        f"| --- |{' --- |' * len(sets['datasets'])} --- |",
    ]
    for name in [*names, *([high] if high else [])]:
        raw = [
            [_raw(board, cell, name) for cell in scored if homes[cell["task"]] == data]
            for data in sets["datasets"]
        ]
        if None in itertools.chain(*raw):
            continue  # an upper reference that is a figure was not run
        kind = {low: ", the baseline", high: ", the upper reference"}.get(
            name, ", a plain baseline" if name in plain else ""
        )
        lines.append(
            f"| `{name}`{'' if name == high else f': {_plain(titles[name])}'}{kind} | "
            f"{' | '.join(f'{fmean(values):.1f}' for values in raw)} | "
            f"{_score(rows[name]) if name in rows else '1'}{' ‡' if failed.get(name) else ''} |"
        )
    said = (
        f"{primary[0].upper()}{primary[1:]}, in {unit or 'its own unit'}: the mean over "
        f"{board['suite']['seeds']} seeds and over {_variants(scored)}. Score: 0 is "
        f"`{low}`, 1 is {best}; "
        + (
            "its mean over datasets, with the interval over datasets."
            if several
            else "of one dataset there is no interval over datasets."
        )
    )
    if lost := [f"{count} of `{name}`" for name, count in failed.items() if count]:
        said += (
            f" ‡ Runs failed: {', '.join(lost)}; the score counts them as chance, and the means "
            "leave them out."
        )
    return "\n" + "\n".join(lines) + f"\n\n{said}\n\n{_left_out(found['cells'], homes)}"


def _left_out(cells: list[Mapping[str, Any]], homes: Mapping[str, str]) -> str:
    """Return the cells of a track that its scores do not count, with the reason."""
    why: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        if cell["state"] != "scored":
            reason = cell["saturated"] or cell["thin"]
            said = f"{cell['state']}: {reason}" if reason else str(cell["state"])
            why.setdefault((homes[cell["task"]], said), []).append(f"`{cell['variant']}`")
    if not why:
        return ""
    lines = [f"- {data}, {' and '.join(names)}: {said}." for (data, said), names in why.items()]
    return "\n".join(["Left out of the means and the scores:", "", *lines, "", ""])


def _titles(track: str, cells: list[Mapping[str, Any]]) -> dict[str, str]:
    """Return the title of every method and reference of a track's cells."""
    installed = registry()
    return {
        reference.name: reference.title
        for task in {cell["task"] for cell in cells}
        for reference in installed.get("task", f"{track}/{task}").card.references
    } | {row.name: row.card.title for row in installed.rows("method") if row.track == track}


def _homes(track: Mapping[str, Any]) -> dict[str, str]:
    """Return task -> dataset, as the track's table over datasets has it."""
    installed, homes = registry(), {}
    for task in dict.fromkeys(cell["task"] for cell in track["cells"]):
        sets = installed.get("task", f"{track['track']}/{task}").card.datasets
        homes[task] = sets[0] if len(sets) == 1 else task
    return homes


def _table(board: Mapping[str, Any], cell: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the table of a suite's cell."""
    names = ("task", "preset", "variant")
    return next(
        table
        for table in board["tables"]
        if all(table[name] == cell[name] for name in names)
        and (table["track"], table["device"], table["custom"])
        == (cell["cell"].partition("/")[0], board["suite"]["device"], False)
    )


def _primary(board: Mapping[str, Any], cell: Mapping[str, Any]) -> tuple[str, str]:
    primary = _table(board, cell)["primary"]
    return primary["title"] or primary["name"], primary["unit"]


def _raw(board: Mapping[str, Any], cell: Mapping[str, Any], method: str) -> float | None:
    """Return a method's mean at its defaults."""
    for row in _table(board, cell)["rows"]:
        if row["method"] == method and not row["custom"] and not row["tuned"]:
            mean: float | None = row["mean"]
            return mean
    return None


def _score(row: Mapping[str, Any]) -> str:
    ends = "" if row["low"] is None else f" [{row['low']:.2f}, {row['high']:.2f}]"
    return f"{row['mean']:.2f}{ends}"


def _variants(cells: list[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(cell["variant"] for cell in cells))
    tasks = {cell["task"] for cell in cells}
    each = max(sum(cell["task"] == task for cell in cells) for task in tasks)
    listed = ", ".join(f"`{name}`" for name in names)
    if len(tasks) == 1:
        return f"its {each} variants ({listed})" if each > 1 else f"its one variant ({listed})"
    return f"{each} variant{'s' if each > 1 else ''} of each ({listed})"
