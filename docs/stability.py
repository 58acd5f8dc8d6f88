"""Say how much a selector's scores depend on the seed, from records that keep their scores.

``python docs/stability.py RESULTS`` reads a results folder and prints a Markdown table: for each
task and selector the mean Spearman correlation of its scores over pairs of seeds, on the variant
``clean``. Seeds draw the rows to choose among, so a pair is compared on the rows that both have.
Committed records keep no scores; run the selectors into a folder first.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

VARIANT = "clean"
Scored = tuple[Sequence[bytes], np.ndarray]
"""Rows (n,), each by what it holds, and their scores (n,)."""


def correlation(first: Scored, second: Scored) -> float | None:
    """Return the Spearman correlation of two seeds' scores of the rows that both have, of those
    that neither has twice; None: fewer than three, or all scores of a seed are equal.
    """
    from scipy.stats import spearmanr

    (one, scores), (other, others) = _single(first), _single(second)
    both = [row for row in one if row in other]
    pair = scores[[one[row] for row in both]], others[[other[row] for row in both]]
    if len(both) < 3 or any(np.ptp(own) == 0 for own in pair):
        return None
    return float(spearmanr(*pair).statistic)


def _single(scored: Scored) -> tuple[dict[bytes, int], np.ndarray]:
    rows, scores = scored
    places = {row: place for place, row in enumerate(rows)}
    twice = {row for place, row in enumerate(rows) if places[row] != place}
    return {row: place for row, place in places.items() if row not in twice}, np.asarray(scores)


def stability(seeds: Mapping[int, Scored]) -> float | None:
    """Return the mean correlation over pairs of seeds, in [-1, 1]; None: no pair has one."""
    found = [
        correlation(seeds[first], seeds[second])
        for first, second in itertools.combinations(sorted(seeds), 2)
    ]
    known = [value for value in found if value is not None]
    return float(np.mean(known)) if known else None


def lines(groups: Mapping[tuple[str, str], Mapping[int, Scored]]) -> list[str]:
    """Return the table of (task, method) -> seeds; a row without scores has a dash."""
    found = ["| task | method | seeds | stability |", "| --- | --- | --- | --- |"]
    for (task, method), seeds in sorted(groups.items()):
        value = stability(seeds)
        said = "-" if value is None else f"{value:.2f}"
        found.append(f"| {task} | `{method}` | {len(seeds)} | {said} |")
    return found


def read(folder: Path) -> dict[tuple[str, str], dict[int, Scored]]:
    """Return what a results folder has of each task and selector: the scored seeds."""
    from safetensors.numpy import load_file

    from bench.runs.store import Store

    groups: dict[tuple[str, str], dict[int, Scored]] = defaultdict(dict)
    pools: dict[tuple[str, str, int], list[bytes]] = {}
    for record in Store(folder).read():
        plain = record.status == "ok" and not record.custom and not record.peeks
        if record.track != "selection" or record.variant != VARIANT or not plain:
            continue
        seeds = groups[record.task, record.method]
        file = folder / "files" / record.id / Path(record.arrays).name
        scores = load_file(file).get("scores") if record.arrays and file.is_file() else None
        if scores is None:
            continue
        place = record.task, record.preset, record.seed
        if place not in pools:
            pools[place] = pool(record)
        if len(pools[place]) != len(scores):
            sys.exit(
                f"stability: {file} has {len(scores)} scores, and its task has "
                f"{len(pools[place])} rows; run it again with this version."
            )
        seeds[record.seed] = pools[place], scores
    return dict(groups)


def pool(record: Any) -> list[bytes]:
    """Return the rows (n,) that a record's task gave to choose among, each by its bytes."""
    import torch
    from tables_cards import registry

    from bench.plugins.source import import_target
    from bench.runs.context import Setup
    from bench.runs.tools import Tools

    data = {row.name: row for row in registry().rows("dataset")}
    tasks = {row.identity: row for row in registry().rows("task")}

    class Serving(Tools):
        def dataset(self, run: Any, name: str, params: dict[str, Any]) -> Any:
            return import_target(data[name].target)(**params).load(run)

    task = import_target(tasks[record.identity].target)
    with tempfile.TemporaryDirectory() as folder:
        run = Setup(
            seed=record.seed,
            task=record.identity,
            method=f"{record.track}/{record.method}",
            device=torch.device("cpu"),
            workdir=Path(folder),
            tools=Serving(),
        )
        x = task.make(record.task_params).prepare(run).problems[0].x
    return [row.tobytes() for row in x.flatten(1).numpy()]


def main() -> None:
    """Print the table of a results folder."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit(
            f"stability: got {' '.join(sys.argv[1:]) or 'nothing'}; name one results folder, such "
            "as results."
        )
    groups = read(Path(sys.argv[1]))
    if not groups:
        sys.exit(
            f"stability: {sys.argv[1]} has no record of a selector on the variant {VARIANT}; run "
            "'bench run --track selection' first."
        )
    print("\n".join(lines(groups)))


if __name__ == "__main__":
    main()
