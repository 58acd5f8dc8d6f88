"""Small tables with holes, problems on them, and runs of tasks and methods."""

from __future__ import annotations

import numpy as np
import torch
from bench.builtin.datasets.breast_cancer import BreastCancer
from bench.builtin.datasets.clusters import Clusters
from bench.builtin.datasets.wine import Wine

from bench.runs.artifacts import Artifacts
from bench.runs.context import Run, Setup
from bench.runs.tools import Tools
from bench.tracks import imputation, missing_data

KINDS = {"wine": Wine, "breast-cancer": BreastCancer, "clusters": Clusters}


class Deaf(Tools):
    """Serves datasets; nobody looks at reports."""

    def __init__(self, folder=None):
        self.folder, self.data = folder, {}

    def report(self, run, step, model):
        """Look away."""

    def progress(self, done, total, label):
        """Look away."""

    def log(self, run, step, scalars):
        """Look away."""

    def dataset(self, run, name, params):
        """Load a dataset once."""
        if name not in self.data:
            loader = Setup(
                seed=0, task="t", method="m", device=torch.device("cpu"), workdir=self.folder
            )
            self.data[name] = KINDS[name]().load(loader)
        return self.data[name]


def setups_in(folder):
    """Return what makes the setup of a task, ``setups(task, seed)``."""
    tools, cache = Deaf(folder), Artifacts(folder / "cache")

    def make(task, seed=0):
        return Setup(
            seed=seed,
            task=task,
            method="imputation/x",
            device=torch.device("cpu"),
            workdir=folder,
            tools=tools,
            artifacts=cache,
        )

    return make


def a_run(folder, seed=0, method="x"):
    """Return a method's run."""
    return Run(
        seed=seed,
        task="imputation/toy",
        method=f"imputation/{method}",
        device=torch.device("cpu"),
        workdir=folder,
        tools=Deaf(),
    )


def low_rank(rows=40, columns=6, seed=0, share=0.3):
    """Return a table of rank two with a little noise, and the same with holes."""
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((rows, 2)) @ generator.standard_normal((2, columns))
    x += 0.05 * generator.standard_normal((rows, columns))
    holes = generator.random((rows, columns)) < share
    holes[holes.all(1), 0] = False
    whole = torch.from_numpy(x).float()
    return whole, whole.masked_fill(torch.from_numpy(holes), torch.nan)


def fill_problem(**fields):
    """Return a problem of the track imputation, and the complete table."""
    whole, x = low_rank(**fields)
    return imputation.Problem(x=x), whole


def class_problem(seed=0, share=0.3, rows=40, **fields):
    """Return a problem of the track missing-data with two classes."""
    whole, x = low_rank(rows=rows, seed=seed, share=share)
    named = {"widths": (8,), "epochs": 3, "batch_size": 16, "optimiser": "adam", "lr": 0.01}
    y = (whole[:, 0] > 0).long()
    return missing_data.Problem(x=x, y=y, n_classes=2, **(named | fields))


def value_problem(seed=0, share=0.3, rows=40):
    """Return a problem of the track missing-data with real targets and least squares."""
    whole, x = low_rank(rows=rows, seed=seed, share=share)
    y = whole @ torch.linspace(-1, 1, whole.shape[1])
    return missing_data.Problem(x=x, y=y - y.mean(), n_classes=1, net="least-squares")
