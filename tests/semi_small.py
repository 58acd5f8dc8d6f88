"""Small problems of few labelled pictures, and runs."""

from __future__ import annotations

import numpy as np
import torch
from positive_small import Deaf

from bench.runs.context import Run
from bench.tracks.semi_supervised import Problem, View

STRONG = View(rotation=30, zoom=0.2, shear=0.3, shift=0.9, contrast=0.4, blank=2)


def pictures(seed=0, rows=60, labels=3, pool=None, **fields):
    """Return a problem of 6x6 pictures of three classes, and the labels of the pool."""
    generator = np.random.default_rng(seed)
    y = np.arange(rows) % 3
    x = 0.5 * generator.standard_normal((rows, 1, 6, 6))
    x[np.arange(rows), 0, 2 * y] += 2
    labelled, rest = np.arange(3 * labels), np.arange(3 * labels, rows)
    rest = rest if pool is None else rest[:pool]
    fields = {
        "widths": (16,),
        "steps": 12,
        "batch_size": 6,
        "mu": 2,
        "weak": View(shift=0.5),
        "strong": STRONG,
        **fields,
    }
    return Problem(
        x=torch.from_numpy(x).float(),
        y=torch.from_numpy(y[labelled]),
        labelled=torch.from_numpy(labelled),
        unlabelled=torch.from_numpy(rest),
        n_classes=3,
        **fields,
    ), torch.from_numpy(y[rest])


def semi_run(folder, seed=0, method="x"):
    """Return a method's run."""
    return Run(
        seed=seed,
        task="semi-supervised/toy",
        method=f"semi-supervised/{method}",
        device=torch.device("cpu"),
        workdir=folder,
        tools=Deaf(),
    )
