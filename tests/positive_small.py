"""Small problems of positive and unlabelled rows, and runs."""

from __future__ import annotations

import numpy as np
import torch

from bench.runs.context import Run
from bench.runs.tools import Tools
from bench.tracks.positive_unlabeled import Problem


class Deaf(Tools):
    """Nobody looks at reports."""

    def report(self, run, step, model):
        """Look away."""

    def progress(self, done, total, label):
        """Look away."""


def blobs(seed=0, rows=60, labels=1, **fields):
    """Return a problem of two blobs a column, and its labels (N, L)."""
    generator = np.random.default_rng(seed)
    y = generator.random((rows, labels)) < 0.5
    x = generator.standard_normal((rows, 5))
    x[:, :labels] += 3 * y[:, :5]
    propensity = np.full((rows, labels), 0.5)
    s = y & (generator.random((rows, labels)) < propensity)
    s[np.argmax(y, 0), np.arange(labels)] = y.any(0)
    fields = {
        "net": "linear",
        "steps": 12,
        "batch_size": 16,
        "positives_a_batch": 8,
        "prior": torch.from_numpy(y.mean(0)).float(),
        "propensity": torch.from_numpy(propensity).float(),
        **fields,
    }
    return Problem(x=torch.from_numpy(x).float(), s=torch.from_numpy(s), **fields), torch.tensor(y)


def pu_run(folder, seed=0, method="x"):
    """Return a method's run."""
    return Run(
        seed=seed,
        task="positive-unlabeled/toy",
        method=f"positive-unlabeled/{method}",
        device=torch.device("cpu"),
        workdir=folder,
        tools=Deaf(),
    )
