"""Small streams, and runs."""

from __future__ import annotations

import torch

from bench.runs.context import Run
from bench.runs.tools import Tools
from bench.tracks.continual import Problem, Stream
from bench.training.memory import Store


class Deaf(Tools):
    """Nobody looks at reports."""

    def report(self, run, step, model):
        """Look away."""

    def progress(self, done, total, label):
        """Look away."""


def blobs(seed=0, tasks=2, rows=20, capacity=6, passes=1, **fields):
    """Return a stream of two new classes a task, four inputs, batches of five."""
    generator = torch.Generator().manual_seed(seed)
    x, y, orders = [], [], []
    for t in range(tasks):
        labels = torch.arange(rows) % 2 + 2 * t
        centres = torch.nn.functional.one_hot(labels, 2 * tasks).float()
        noise = torch.randn(rows, 6, generator=generator)
        x.append(torch.cat([3 * centres, torch.zeros(rows, 6 - 2 * tasks)], 1) + noise)
        y.append(labels)
        orders.append(
            torch.stack([torch.randperm(rows, generator=generator) for _ in range(passes)])
        )
    fields = {"widths": (16,), "batch_size": 5, "epochs": passes, "lr": 0.1, **fields}
    return Problem(
        stream=Stream(x, y, orders, fields["batch_size"]),
        n_classes=2 * tasks,
        tasks=tasks,
        memory=Store(capacity),
        task_id=torch.arange(2 * tasks) // 2,
        **fields,
    )


def stream_run(folder, seed=0, method="x"):
    """Return a method's run."""
    return Run(
        seed=seed,
        task="continual/toy",
        method=f"continual/{method}",
        device=torch.device("cpu"),
        workdir=folder,
        tools=Deaf(),
    )


def answers(solution):
    """Return the logits of fixed rows."""
    return solution.model(torch.linspace(-2, 2, 54).view(9, 6))
