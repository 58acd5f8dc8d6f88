"""Small problems of target shift, and runs."""

from __future__ import annotations

import numpy as np
import torch

from bench.runs.context import Run
from bench.tracks.target_shift import Classes, Numbers, Problem

CPU = torch.device("cpu")


def shift_run(folder, seed=0, task="toy"):
    """Return a method's run."""
    return Run(
        seed=seed,
        task=f"target-shift/{task}",
        method="target-shift/x",
        device=CPU,
        workdir=folder,
    )


def posteriors(shares, rows, generator):
    """Return logits whose softmax is the truth for classes in equal shares (n, C), and labels."""
    size = len(shares)
    y = generator.choice(size, rows, p=shares)
    x = generator.standard_normal((rows, size))
    x[np.arange(rows), y] += 1.5
    # of normal densities with mean 1.5 e_c the log ratio is 1.5 x_c
    return torch.tensor(1.5 * x, dtype=torch.float32), torch.from_numpy(y)


def classes_problem(seed=0, target=(0.6, 0.3, 0.1), rows=600, distort=(1.0, 0.0)):
    """Return a problem of three classes, in equal shares in the source; logits times ``distort[0]``
    with ``distort[1]`` added to the first class.
    """
    generator = np.random.default_rng(seed)
    size = len(target)
    z_val, y_val = posteriors(np.full(size, 1 / size), rows, generator)
    z_target, _ = posteriors(np.array(target), rows, generator)
    shift = torch.tensor([distort[1], *[0.0] * (size - 1)])
    z_val, z_target = (distort[0] * z + shift for z in (z_val, z_target))
    return Problem(
        n_weights=size, classes=Classes(logits_val=z_val, y_val=y_val, logits_target=z_target)
    )


def numbers_problem(seed=0, rows=80, mean=1.0, spread=0.5, noise=0.5, columns=1):
    """Return a problem of numbers, and the true weights with mean 1."""
    generator = np.random.default_rng(seed)
    y = generator.standard_normal(rows)
    moved = mean + spread * generator.standard_normal(rows)
    x, x_moved = (
        part[:, None] + noise * generator.standard_normal((rows, columns)) for part in (y, moved)
    )
    weights = np.exp(y**2 / 2 - ((y - mean) / spread) ** 2 / 2)
    x, y, x_moved = (torch.tensor(part, dtype=torch.float32) for part in (x, y, x_moved))
    return (
        Problem(n_weights=rows, numbers=Numbers(x=x, y=y, x_target=x_moved)),
        torch.tensor(weights / weights.mean()),
    )
