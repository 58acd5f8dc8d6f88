"""Small problems of votes, and runs."""

from __future__ import annotations

import numpy as np
import torch
from positive_small import Deaf

from bench.runs.context import Run
from bench.tracks.weak_supervision import Panel, Problem


def votes_from(seed=0, rows=400, accuracy=(0.9, 0.8, 0.7, 0.6), cover=0.6, classes=2):
    """Return votes (N, m) of independent sources, and the labels (N,)."""
    generator = np.random.default_rng(seed)
    y = generator.integers(classes, size=rows)
    shape = (rows, len(accuracy))
    other = (y[:, None] + generator.integers(1, classes, size=shape)) % classes
    votes = np.where(generator.random(shape) < accuracy, y[:, None], other)
    votes = np.where(generator.random(shape) < cover, votes, -1)
    return torch.from_numpy(votes), torch.from_numpy(y)


def voted(votes, classes=2, **fields):
    """Return a problem of votes (N, m); its inputs are one-hot votes."""
    votes = torch.as_tensor(votes)
    x = torch.nn.functional.one_hot(votes + 1, classes + 1).flatten(1).float()
    names = tuple(f"source-{number}" for number in range(votes.shape[1]))
    return Problem(votes=votes, x=x, n_classes=classes, names=names, **fields)


def weak_run(folder, seed=0, method="x"):
    """Return a method's run."""
    return Run(
        seed=seed,
        task="weak-supervision/toy",
        method=f"weak-supervision/{method}",
        device=torch.device("cpu"),
        workdir=folder,
        tools=Deaf(),
    )


def labelled(method, problem, folder, seed=0):
    """Return the probabilities that a method gives (N, C)."""
    return method.solve(problem, weak_run(folder, seed, method.card.name)).proba


def panel_of(problem, folder):
    """Return the panel of one problem."""
    return Panel([problem], [weak_run(folder)])
