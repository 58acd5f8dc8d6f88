"""Small graphs with labelled nodes, and runs."""

from __future__ import annotations

import numpy as np
import torch
from positive_small import Deaf

from bench.runs.context import Run
from bench.tracks.node_graphs import Problem


class Noting(Deaf):
    """Keeps what is reported."""

    def __init__(self):
        self.reports = []

    def report(self, run, step, model):
        """Keep it."""
        self.reports.append((step, model))


def joined(pairs, nodes):
    """Return the edges of pairs (2, m) in both directions (2, E), none twice."""
    pairs = {tuple(sorted(pair)) for pair in np.asarray(pairs).T.tolist() if pair[0] != pair[1]}
    both = sorted({(a, b) for a, b in pairs} | {(b, a) for a, b in pairs})
    return torch.tensor(both, dtype=torch.int64).reshape(-1, 2).T.contiguous()


def blocks(seed=0, nodes=40, classes=2, sensitive=False, **fields):
    """Return a problem of a homophilous random graph with a feature for each class, and its labels.

    The last node has no neighbour.
    """
    generator = np.random.default_rng(seed)
    y = generator.permutation(np.arange(nodes) % classes)
    first, second = generator.integers(nodes - 1, size=(2, 8 * nodes))
    kept = generator.random(8 * nodes) < np.where(y[first] == y[second], 0.4, 0.05)
    x = generator.standard_normal((nodes, 5)).astype(np.float32)
    x[np.arange(nodes), y] += 1.0
    train = np.arange(nodes) % 2 == 0
    s = np.where(generator.random(nodes) < 0.8, y % 2, 1 - y % 2)
    told = np.where(np.arange(nodes) % 4 == 0, s, -1)
    fields = {"steps": 6, "hidden": 16, **fields}
    problem = Problem(
        x=torch.from_numpy(x),
        edges=joined(np.stack([first[kept], second[kept]]), nodes),
        y=torch.from_numpy(np.where(train, y, -1)),
        train=torch.from_numpy(train),
        n_classes=classes,
        sensitive=torch.from_numpy(told) if sensitive else None,
        **fields,
    )
    return problem, torch.from_numpy(y)


def node_run(folder, seed=0, method="x", tools=None):
    """Return a method's run."""
    return Run(
        seed=seed,
        task="node-graphs/toy",
        method=f"node-graphs/{method}",
        device=torch.device("cpu"),
        workdir=folder,
        tools=tools or Deaf(),
    )
