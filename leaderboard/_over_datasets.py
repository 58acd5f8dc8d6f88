"""What each dataset of a track gives, and the mean over datasets: how far a result carries to
another set of the kind, and which set carries it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._aggregate import Array
from ._cells import SuiteCell
from ._statistics import t_interval


def over_datasets(
    names: Sequence[str], cells: Sequence[SuiteCell], tasks: Sequence[str], scores: Array
) -> dict[str, Any]:
    """Return the scores of the placed methods by dataset, the best mean first.

    A dataset's score is the mean over its tasks of the means over seeds, and datasets weigh the
    same. Intervals are Student's over datasets, of a mean and of the differences from the first;
    there is none of one dataset.

    Args:
        names: of the M methods.
        cells: of the track.
        tasks: its T tasks that count.
        scores: normalised scores (M, T, seeds).
    """
    homes = {cell.task.task: dataset_of(cell) for cell in cells}
    datasets = list(dict.fromkeys(homes[task] for task in tasks))
    means = np.sort(scores, -1).mean(-1)
    table = np.stack(
        [means[:, [homes[task] == name for task in tasks]].mean(1) for name in datasets], 1
    )
    order = sorted(range(len(names)), key=lambda row: (-table[row].mean(), names[row]))
    first = table[order[0]]
    return {
        "datasets": datasets,
        "leaders": {name: names[_first(table[:, [k]], names)] for k, name in enumerate(datasets)},
        "without": {
            name: names[_first(np.delete(table, k, 1), names)] for k, name in enumerate(datasets)
        }
        if len(datasets) > 1
        else {},
        "rows": [
            {
                "method": names[row],
                "scores": [_figure(value) for value in table[row]],
                "mean": _figure(table[row].mean()),
                **_ends("", t_interval(table[row].tolist())),
                "behind": _figure((first - table[row]).mean()),
                **_ends("behind_", t_interval((first - table[row]).tolist())),
                "ahead_on": [
                    name
                    for name, own, other in zip(datasets, table[row], first, strict=True)
                    if own > other
                ],
            }
            for row in order
        ],
    }


def dataset_of(cell: SuiteCell) -> str:
    """Return the dataset of a cell's task; of a task that names none or several, its own name."""
    found = cell.card.datasets if cell.card else ()
    return found[0] if len(found) == 1 else cell.task.task


def _first(table: Array, names: Sequence[str]) -> int:
    return min(range(len(names)), key=lambda row: (-table[row].mean(), names[row]))


def _ends(prefix: str, interval: tuple[float, float] | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {
        f"{prefix}low": None if low is None else _figure(low),
        f"{prefix}high": None if high is None else _figure(high),
    }


def _figure(value: float) -> float:
    return round(float(value), 6) + 0.0  # no negative zero
