"""A small net, its rows, and sets of others, for tests of accuracy estimation."""

from __future__ import annotations

import numpy as np
import torch

from bench.runs.context import Run, Setup
from bench.tracks.accuracy_estimation import Problem
from bench.training.fixed_net import Recipe, fixed_net, outputs

CPU = torch.device("cpu")


def estimation_run(folder, kind=Run, seed=0):
    """Return a run."""
    return kind(
        seed=seed,
        task="accuracy-estimation/toy",
        method="accuracy-estimation/x",
        device=CPU,
        workdir=folder,
    )


def blobs(rows, generator, moved=0.0):
    """Return rows of three blobs in the plane (n, 2), and their labels."""
    y = generator.integers(0, 3, rows)
    places = np.array([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])
    x = 0.8 * places[y] + generator.standard_normal((rows, 2)) + [moved, 0.0]
    return torch.tensor(x, dtype=torch.float32), torch.from_numpy(y)


def estimation_problem(folder, rows=120, shifts=(0.0, 1.0, 2.0), seed=0):
    """Return a problem, and the labels of each set."""
    generator = np.random.default_rng(seed)
    x, y = blobs(rows, generator)
    run = estimation_run(folder, Setup)
    recipe = Recipe(widths=(8,), epochs=12, batch_size=16, lr=0.01)
    model, second = (fixed_net(x, y, 3, recipe, run, which) for which in (0, 1))
    x_val, y_val = blobs(rows, generator)
    sets = [blobs(rows, generator, moved) for moved in shifts]
    return (
        Problem(
            model=model,
            x_val=x_val,
            y_val=y_val,
            n_classes=3,
            targets=tuple(part for part, _ in sets),
            logits_val=outputs(model, x_val),
            logits=tuple(outputs(model, part) for part, _ in sets),
            second_model=second,
        ),
        [labels for _, labels in sets],
    )
