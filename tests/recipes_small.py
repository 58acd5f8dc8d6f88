"""Small problems of training recipes: blobs, and pictures with a bright corner for each class."""

from __future__ import annotations

import numpy as np
import torch

from bench.runs.context import Run, Setup
from bench.runs.tools import Tools
from bench.tracks.long_tail import Problem
from bench.training.data import Examples

CPU = torch.device("cpu")


class Deaf(Tools):
    """Nobody looks at reports; datasets are served from a table, those of several parts by
    functions of the parameters.
    """

    def __init__(self, data=None):
        self.data = data or {}

    def dataset(self, run, name, params):
        found = self.data[name]
        return found(**params) if callable(found) else found

    def report(self, run, step, model):
        """Nobody looks."""


def runs(folder, count=2, kind=Run, track="recipes", task="toy", method="x", data=None):
    """Return fresh runs of the seeds 0, 1, ..."""
    return [
        kind(
            seed=seed,
            task=f"{track}/{task}",
            method=f"{track}/{method}",
            device=CPU,
            workdir=folder,
            tools=Deaf(data),
        )
        for seed in range(count)
    ]


def setups(folder, data, count=1, **named):
    """Return fresh setups, which may ask for the data."""
    return runs(folder, count, Setup, data=data, **named)


def numbered(train, test):
    """Return a dataset of ten classes with two parts of so many rows; every pixel of a picture is
    the row's number over that of all rows, times 255, so that rows can be told apart. The test part
    has the last numbers.
    """

    def part(split):
        first, rows = (0, train) if split == "train" else (train, test)
        grey = (first + torch.arange(rows)) / (train + test) * 255
        x = grey.view(-1, 1, 1, 1).expand(-1, 1, 4, 4)
        return Examples(x, torch.arange(rows) * 10 // rows, 10)

    return part


def blobs(seed=0, sizes=(12, 12, 12, 12), pictures=False, **protocol):
    """Return a problem with a normal cloud for each class, of these sizes; as pictures of 4x4
    pixels if asked.
    """
    generator = np.random.default_rng(seed)
    y = generator.permutation(np.arange(len(sizes)).repeat(sizes))
    x = generator.standard_normal((len(y), 16)) + 2 * np.eye(len(sizes), 16)[y]
    x = x.reshape(-1, 1, 4, 4) if pictures else x
    protocol = {"widths": (12, 8), "epochs": 3, "batch_size": 10, **protocol}
    return Problem(
        x=torch.tensor(x, dtype=torch.float32),
        y=torch.from_numpy(y),
        n_classes=len(sizes),
        **protocol,
    )


def outputs(method, problems, folder, own="x"):
    """Return what each member's model says of its own training rows, after a stacked solve."""
    solutions = method.solve_stacked(problems, runs(folder, len(problems), method=own))
    return [
        solution.model(problem.x) for solution, problem in zip(solutions, problems, strict=True)
    ]
