"""Small problems and runs made by hand for tests of adversarial training and of regression."""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import torch

from bench.contracts import Method
from bench.runs.context import Run
from bench.tracks import adversarial, regression

CPU = torch.device("cpu")


def run_of(folder, seed=0, track="adversarial"):
    """Return a run; all methods draw from the same streams."""
    return Run(seed=seed, task=f"{track}/toy", method=f"{track}/x", device=CPU, workdir=folder)


def in_the_cube(seed=0, rows=40, classes=4, unlabelled=0, **protocol):
    """Return a problem of blobs in the unit cube of six dimensions."""
    generator = np.random.default_rng(seed)
    y = np.concatenate([np.arange(classes), generator.integers(0, classes, rows - classes)])
    x = 0.5 + 0.1 * generator.standard_normal((rows + unlabelled, 6))
    x[:rows] += 0.3 * np.eye(classes, 6)[y] - 0.1
    x = torch.tensor(x, dtype=torch.float32).clamp(0, 1)
    protocol = {"widths": (8,), "epochs": 3, "batch_size": 16, "eps": 0.1, "steps": 3, **protocol}
    return adversarial.Problem(
        x=x[:rows],
        y=torch.from_numpy(y),
        n_classes=classes,
        unlabelled=x[rows:] if unlabelled else None,
        **protocol,
    )


def curved(seed=0, rows=40, **protocol):
    """Return a problem with real targets of three inputs."""
    generator = np.random.default_rng(seed)
    x = torch.tensor(generator.standard_normal((rows, 3)), dtype=torch.float32)
    y = (2 * x[:, 0]).sin() + x[:, 1]
    y = (y - y.mean()) / y.std(correction=0)
    protocol = {
        "widths": (8,),
        "epochs": 3,
        "batch_size": 16,
        "lr": 0.01,
        "optimiser": "adam",
        **protocol,
    }
    return regression.Problem(x=x, y=y, **protocol)


def methods_of(track):
    """Return every method class of the track, by name: those of its room and of ``recipes``."""
    found = {}
    for home in (track, "recipes"):
        package = importlib.import_module(f"bench.builtin.methods.{home.replace('-', '_')}")
        for module in pkgutil.iter_modules(package.__path__):
            if module.name[0] == "_":
                continue
            for kind in vars(importlib.import_module(f"{package.__name__}.{module.name}")).values():
                if isinstance(kind, type) and issubclass(kind, Method) and "card" in vars(kind):
                    if track in kind.card.tracks:
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
