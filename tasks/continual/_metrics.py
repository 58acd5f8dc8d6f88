"""What is measured of an accuracy matrix: a[t, i] is the accuracy on task i after task t."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench import Metric, Reference
from bench.training.pictures import curves, heat_map

METRICS = (
    Metric(
        name="acc",
        primary=True,
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="accuracy over all classes at the stream's end, mean over the tasks",
    ),
    Metric(
        name="aaa",
        unit="%",
        bounds=(0, 100),
        title="average anytime accuracy: mean over tasks so far, then over the stream",
    ),
    Metric(
        name="forgetting",
        direction="min",
        unit="%",
        bounds=(-100, 100),
        title="best earlier accuracy on a task minus that at the end, mean over earlier tasks",
    ),
    Metric(
        name="learned",
        unit="%",
        bounds=(0, 100),
        title="accuracy on a task when it ends, mean over the tasks",
    ),
    Metric(
        name="acc_task",
        unit="%",
        bounds=(0, 100),
        chance=50,
        title="accuracy at the stream's end among the classes of a row's task",
    ),
    Metric(
        name="stored",
        direction="none",
        unit="rows",
        bounds=(0, None),
        title="most rows in the store at a time",
    ),
    Metric(
        name="acc_val",
        validation=True,
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="accuracy at the stream's end on held-out training rows, mean over the tasks",
    ),
)

REFERENCES = (
    Reference(name="naive", kind="low"),
    Reference(
        name="joint",
        kind="high",
        title="All rows in random order, as many updates",
        solve="train_jointly",
    ),
)


def matrix_of(curve: Sequence[dict[str, Any]], tasks: int) -> np.ndarray:
    """Return the accuracies after each task (T, T), NaN where nothing was reported."""
    found = np.full((tasks, tasks), np.nan)
    for point in curve:
        if 1 <= (step := int(point["step"])) <= tasks:
            for i in range(tasks):
                value = point.get(f"acc_{i + 1}")
                found[step - 1, i] = np.nan if value is None else value
    return found


def of_matrix(matrix: np.ndarray) -> dict[str, float | None]:
    """Return what a matrix (T, T) says; None where a report is missing.

    ``forgetting`` leaves the last row out of the maximum, so that it is below 0 where later tasks
    raise the accuracy on earlier ones.
    """
    tasks = len(matrix)
    if not np.isfinite(matrix).all():
        return {"aaa": None, "forgetting": None, "learned": None}
    so_far = [matrix[t, : t + 1].mean() for t in range(tasks)]
    lost = [matrix[i : tasks - 1, i].max() - matrix[-1, i] for i in range(tasks - 1)]
    return {
        "aaa": float(np.mean(so_far)),
        "forgetting": float(np.mean(lost)) if lost else None,
        "learned": float(np.diag(matrix).mean()),
    }


def pictures(matrix: np.ndarray, stored: np.ndarray, capacity: int) -> dict[str, Any]:
    """Return the matrix, and what the store held after each task.

    Args:
        matrix: accuracies (T, T).
        stored: rows of each task in the store after each task (T, T).
        capacity: places of the store; 0: there is none.
    """
    names = [str(task + 1) for task in range(len(matrix))]
    rows = [f"after {name}" for name in names]
    found = {
        "matrix": heat_map(matrix.round(1), rows, names, "Accuracy on each task (%)"),
    }
    if capacity:
        steps = range(1, len(matrix) + 1)
        lines = {
            f"of task {name}": list(zip(steps, stored[:, task].tolist(), strict=True))
            for task, name in enumerate(names)
        }
        lines["all"] = list(zip(steps, stored.sum(1).tolist(), strict=True))
        found["memory"] = curves(
            lines, f"Rows in a store of {capacity}", "after task", "rows in the store"
        )
    return found
