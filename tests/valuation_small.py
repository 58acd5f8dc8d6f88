"""A small problem of valuation: three clusters, a fifth of whose labels is wrong."""

from __future__ import annotations

import numpy as np
import torch

from bench.runs.context import Run
from bench.tracks.data_valuation import Problem, Queries, Utility


def clusters(n=40, seed=0, wrong=0.2, numbers=False, queries=0, **fields):
    """Return a problem of ``n`` rows, and which of them are wrong (n,), bool."""
    generator = np.random.default_rng(seed)
    total = 2 * n + queries
    y = generator.integers(0, 3, total)
    x = torch.from_numpy(generator.standard_normal((total, 4)) + 3 * np.eye(3, 4)[y]).float()
    truth = torch.from_numpy(y)
    given = truth.clone()
    bad = torch.zeros(n, dtype=torch.bool)
    bad[torch.from_numpy(generator.permutation(n)[: round(wrong * n)])] = True
    given[:n][bad] = (given[:n][bad] + 1) % 3
    named = {"metric": "negative-mse"} if numbers else {"empty": 1 / 3}
    if numbers:
        given = (x @ torch.tensor([1.0, -1.0, 0.5, 0.0])) + 0.1 * torch.randn(
            total, generator=torch.Generator().manual_seed(seed)
        )
        given[:n][bad] += 3
    return Problem(
        x=x[:n],
        y=given[:n],
        x_val=x[n : 2 * n],
        y_val=given[n : 2 * n],
        n_classes=0 if numbers else 3,
        utility=Utility(**named),
        classes=None if numbers else 3,
        queries=Queries(x=x[2 * n :], y=truth[2 * n :]) if queries else None,
        **fields,
    ), bad


def a_run(folder, seed=0, method="x", tools=None):
    """Return a method's run."""
    return Run(
        seed=seed,
        task="data-valuation/toy",
        method=f"data-valuation/{method}",
        device=torch.device("cpu"),
        workdir=folder,
        tools=tools,
    )
