"""Shared pieces: problems made by hand, runs made by hand, and trials of a
method on a task without the command line.
"""

import numpy as np
import pytest
import torch
from bench.builtin.datasets.digits import Digits

from bench.contracts import Outcome
from bench.runs.context import Run, Setup
from bench.runs.tools import Tools
from bench.tracks.noisy_labels import Problem

CPU = torch.device("cpu")


@pytest.fixture
def run_of(tmp_path):
    """Return a function from a seed to a fresh run of that seed."""

    def make(seed=0, method="noisy-labels/x"):
        return Run(seed=seed, task="noisy-labels/toy", method=method, device=CPU, workdir=tmp_path)

    return make


@pytest.fixture
def toy():
    """Return a function that makes a small problem: blobs with a fifth of the labels redrawn."""

    def make(seed=0, rows=70, classes=4, dtype=torch.float32, shape=None, **protocol):
        generator = np.random.default_rng(seed)
        y = generator.integers(0, classes, rows)
        x = generator.standard_normal((rows, 6)) + 2 * np.eye(classes, 6)[y]
        y = np.where(generator.random(rows) < 0.2, generator.integers(0, classes, rows), y)
        x = x if shape is None else x[:, : np.prod(shape)].reshape(rows, *shape)
        protocol = {"widths": (8,), "epochs": 4, "batch_size": 16, "noise_rate": 0.2, **protocol}
        return Problem(
            x=torch.tensor(x, dtype=dtype), y=torch.from_numpy(y), n_classes=classes, **protocol
        )

    return make


class _Serving(Tools):
    def __init__(self, data):
        self._data = data

    def dataset(self, run, name, params):
        return self._data[name]

    def report(self, run, step, model):
        """Nobody looks: only the last model counts here."""


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    return Digits().load(
        Setup(seed=0, task="t", method="m", device=CPU, workdir=tmp_path_factory.mktemp("digits"))
    )


@pytest.fixture(scope="session")
def trial(digits, tmp_path_factory):
    """Return a function from a method, a task and seeds to each seed's metrics; the seeds run in
    one stack, and a trial runs once a session.
    """
    folder, known = tmp_path_factory.mktemp("trials"), {}

    def make(method, task, seeds):
        def run(kind, seed):
            return kind(
                seed=seed,
                task=f"noisy-labels/{task.card.name}",
                method=f"noisy-labels/{method.card.name}",
                device=CPU,
                workdir=folder,
                tools=_Serving({"digits": digits}),
            )

        setups = [run(Setup, seed) for seed in seeds]
        cases = [task.prepare(setup) for setup in setups]
        solutions = method.solve_stacked(
            [case.problems[0] for case in cases], [run(Run, seed) for seed in seeds]
        )
        outcomes = [
            Outcome(solution=solution, curve=[], kept={}, cost={}, counters={})
            for solution in solutions
        ]
        return [
            task.evaluate(case, [outcome], setup).metrics
            for case, outcome, setup in zip(cases, outcomes, setups, strict=True)
        ]

    def once(method, task, seeds):
        if (method, task, seeds) not in known:
            known[method, task, seeds] = make(method, task, seeds)
        return known[method, task, seeds]

    return once
