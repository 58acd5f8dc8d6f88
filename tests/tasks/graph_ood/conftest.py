"""Cases of tasks made by hand."""

import copy

import pytest
import torch

from bench.runs.context import Run, Setup
from bench.runs.tools import Tools
from bench.training.state import inspecting

CPU = torch.device("cpu")


class Watcher(Tools):
    """Serves one dataset and lets the task watch."""

    def __init__(self, task, data):
        self.task, self.data, self.case, self.asked = task, data, None, []

    def dataset(self, run, name, params):
        assert name in self.task.card.datasets
        self.asked.append(params)
        return self.data

    def report(self, run, step, model):
        with inspecting(model):
            watched = self.task.watch(self.case, 0, step, model)
        run._curve.append({"step": step, **watched.scores})
        for name in watched.keep:
            run._kept[name] = copy.deepcopy(model)


@pytest.fixture
def bench(tmp_path):
    """Return a function from a task, a seed and data to its case and a run that reports to it."""

    def make(task, seed=0, data=None):
        tools = Watcher(task, data)
        tools.setup = Setup(
            seed=seed,
            task=f"graph-ood/{task.card.name}",
            method="graph-ood/erm",
            device=CPU,
            workdir=tmp_path,
            tools=tools,
        )
        tools.case = task.prepare(tools.setup)
        tools.run = Run(
            seed=seed,
            task=f"graph-ood/{task.card.name}",
            method="graph-ood/erm",
            device=CPU,
            workdir=tmp_path,
            tools=tools,
        )
        return tools

    return make
