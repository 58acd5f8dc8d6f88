"""Small problems and runs made by hand for tests of poisoned and of synthetic data."""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import torch

from bench.contracts import Method
from bench.runs.context import Run
from bench.tracks import poisoning

CPU = torch.device("cpu")


def run_of(folder, seed=0, track="poisoning", kind=Run):
    """Return a run; all methods draw from the same streams."""
    return kind(seed=seed, task=f"{track}/toy", method=f"{track}/x", device=CPU, workdir=folder)


def rows_of(seed=0, rows=60, classes=4, side=6):
    """Return pictures (rows, 1, side, side) in the unit cube, a bright column a class, and labels."""
    generator = np.random.default_rng(seed)
    y = np.concatenate([np.arange(classes), generator.integers(0, classes, rows - classes)])
    x = 0.3 + 0.1 * generator.standard_normal((rows, 1, side, side))
    x[np.arange(rows), 0, :, y] += 0.4
    return torch.tensor(x, dtype=torch.float32).clamp(0, 1), torch.from_numpy(y)


def pictures(seed=0, rows=60, classes=4, side=6, **protocol):
    """Return a problem of such pictures."""
    x, y = rows_of(seed, rows, classes, side)
    protocol = {"widths": (8,), "epochs": 3, "batch_size": 16, "epsilon": 0.1, **protocol}
    return poisoning.Problem(x=x, y=y, n_classes=classes, **protocol)


def methods_of(track):
    """Return every method class of the track's room, by name."""
    package = importlib.import_module(f"bench.builtin.methods.{track.replace('-', '_')}")
    found = {}
    for module in pkgutil.iter_modules(package.__path__):
        if module.name[0] == "_":
            continue
        for kind in vars(importlib.import_module(f"{package.__name__}.{module.name}")).values():
            if isinstance(kind, type) and issubclass(kind, Method) and "card" in vars(kind):
                found[kind.card.name] = kind
    return dict(sorted(found.items()))


def trained(method, problems, folder, x=None, seeds=None):
    """Return what the models of a stack say of ``x`` (n, ...), or of their own rows, (K, n, C)."""
    runs = [run_of(folder, seed) for seed in seeds or range(len(problems))]
    solutions = method.solve_stacked(problems, runs)
    return torch.stack(
        [
            solution.model(problem.x if x is None else x)
            for solution, problem in zip(solutions, problems, strict=True)
        ]
    )
