"""What is shown of a run, and the share it is shown in."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from bench.tracks.noisy_labels import Problem, Solution
from bench.training.pictures import curves, heat_map
from bench.training.tiles import grid


def pictures_of(
    problem: Problem,
    y_true: torch.Tensor,
    solution: Solution,
    curve: list[dict[str, Any]],
    counts: np.ndarray,
) -> dict[str, np.ndarray]:
    """Return what was given for what, how the epochs went, and the rows that look most suspicious
    where they are images and there is a score. ``y_true`` are the true labels (N,).
    """
    names = {
        "acc": "accuracy on the clean test",
        "memorised": "wrong labels memorised",
        "recovered": "wrong labels recovered",
    }
    classes = range(problem.n_classes)
    pictures = {
        "transitions": heat_map(
            counts, classes, classes, "Labels given to the training rows", "given", "true"
        ),
        "epochs": curves(
            {
                title: [(entry["step"], entry.get(name)) for entry in curve]
                for name, title in names.items()
            },
            "",
            "epoch",
            "%",
        ),
    }
    if solution.clean_score is not None and problem.x.dim() == 4 and problem.x.shape[1] in (1, 3):
        worst = solution.clean_score.argsort(stable=True)[:24]
        captions = [
            f"{given} (is {true})"
            for given, true in zip(problem.y[worst].tolist(), y_true[worst].tolist(), strict=True)
        ]
        pictures["suspicious"] = grid(
            problem.x[worst].cpu(),
            captions,
            columns=8,
            title="Least trusted rows: given label (true label)",
        )
    return pictures


def percent(right: torch.Tensor) -> float | None:
    """Return the share that is true in percent; None of nothing."""
    return 100 * int(right.sum()) / right.numel() if right.numel() else None
