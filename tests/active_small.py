"""Small problems of active learning, and runs."""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import torch

from bench.builtin.methods import active_learning
from bench.contracts import Method
from bench.runs.context import Run
from bench.runs.tools import Tools
from bench.tracks.active_learning import Ledger, Oracle, Problem


class Deaf(Tools):
    """Notes the steps of reports, and nothing else."""

    def __init__(self):
        self.steps = []

    def report(self, run, step, model):
        """Note the step."""
        self.steps.append(step)

    def progress(self, done, total, label):
        """Look away."""


def methods():
    """Return all methods of the track by name, with their defaults."""
    found = {}
    for module in pkgutil.iter_modules(active_learning.__path__):
        if module.name.startswith("_"):
            continue
        loaded = importlib.import_module(f"{active_learning.__name__}.{module.name}")
        for kind in vars(loaded).values():
            own = isinstance(kind, type) and kind.__module__ == loaded.__name__
            if own and issubclass(kind, Method) and hasattr(kind, "card"):
                found[kind.card.name] = kind()
    return found


def blobs(seed=0, rows=60, classes=3, start=None, **fields):
    """Return a problem of blobs and its ledger; kept by the caller, the ledger answers."""
    drawn = np.random.default_rng(seed)
    y = torch.from_numpy(drawn.integers(0, classes, rows))
    x = torch.from_numpy(drawn.standard_normal((rows, 5))).float()
    x[torch.arange(rows), y] += 3
    kind = fields.get("kind", "labels")
    targets = {
        "labels": y,
        "numbers": x[:, 0] + x[:, 1].sin(),
        "probabilities": (4 * torch.eye(classes)[y]).softmax(1),
    }[kind]
    known = torch.arange(6) if start is None else torch.tensor(start)
    budget = fields.pop("budget", 8)
    ledger = Ledger(targets, known, budget)
    fields = {
        "batch": 4,
        "steps": 4,
        "batch_size": 8,
        "widths": (7,),
        "n_outputs": 1 if kind == "numbers" else classes,
        "classes": None if kind == "numbers" else classes,
        **fields,
    }
    problem = Problem(x=x, start=known, budget=budget, oracle=Oracle(ledger), **fields)
    return problem, ledger


def active_run(folder, seed=0, method="x"):
    """Return a method's run."""
    return Run(
        seed=seed,
        task="active-learning/toy",
        method=f"active-learning/{method}",
        device=torch.device("cpu"),
        workdir=folder,
        tools=Deaf(),
    )
