"""Problems of the first seeds of a task, and their solving so many at a time."""

from __future__ import annotations

import torch
from serving import Serving

from bench.runs.context import Setup


def problems_of(task, dataset, seeds, folder):
    """Return the problem of each of the first seeds of a task, which loads one dataset."""
    place = {
        "task": f"{task.card.track}/{task.card.name}",
        "method": f"{task.card.track}/speed",
        "device": torch.device("cpu"),
        "workdir": folder,
    }
    tools = Serving(dataset.load(Setup(seed=0, **place)))
    return [
        task.prepare(Setup(seed=seed, tools=tools, **place)).problems[0] for seed in range(seeds)
    ]


def solve(method, problems, made, parts):
    """Solve all problems with the runs made for them, ``parts`` of them in a stack."""
    for first in range(0, len(problems), parts):
        method.solve_stacked(problems[first : first + parts], made[first : first + parts])
