"""Tasks of the track prepared without the command line."""

import pytest
import torch
from bench.builtin.datasets.digits import Digits
from bench.builtin.datasets.mnist5k import Mnist5k

from bench.contracts import Outcome
from bench.runs.context import Setup
from bench.runs.tools import Tools

CPU = torch.device("cpu")


class _Serving(Tools):
    def __init__(self, data):
        self._data = data

    def dataset(self, run, name, params):
        return self._data[name]

    def report(self, run, step, model):
        """Nobody looks."""


@pytest.fixture(scope="session")
def shift_data(tmp_path_factory):
    """Return the shipped datasets by name."""
    run = Setup(seed=0, task="t", method="m", device=CPU, workdir=tmp_path_factory.mktemp("data"))
    return {"digits": Digits().load(run), "mnist5k": Mnist5k().load(run)}


@pytest.fixture(scope="session")
def setup_of(shift_data, tmp_path_factory):
    """Return a function from a task and a seed to a fresh run of the task."""
    folder = tmp_path_factory.mktemp("runs")

    def make(task, seed=0, kind=Setup):
        return kind(
            seed=seed,
            task=f"group-shift/{task.card.name}",
            method="group-shift/erm",
            device=CPU,
            workdir=folder,
            tools=_Serving(shift_data),
        )

    return make


@pytest.fixture(scope="session")
def prepared(setup_of):
    """Return a function from a task and a seed to its case, prepared once a session."""
    known = {}

    def make(task, seed=0):
        if (task, seed) not in known:
            known[task, seed] = task.prepare(setup_of(task, seed))
        return known[task, seed]

    return make


@pytest.fixture(scope="session")
def score_of(setup_of):
    """Return a function that scores a solution on a fresh case."""

    def make(task, case, solution, kept=None, curve=()):
        outcome = Outcome(
            solution=solution, curve=list(curve), kept=kept or {}, cost={}, counters={}
        )
        return task.evaluate(case, [outcome], setup_of(task, 7))

    return make
