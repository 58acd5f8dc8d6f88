"""Shared pieces: problems made by hand, runs made by hand, and trials of a
method on a task without the command line.
"""

import contextlib
import functools
import math

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.datasets.diabetes import Diabetes
from bench.builtin.datasets.digits import Digits

from bench.contracts import Outcome
from bench.runs.artifacts import Artifacts
from bench.runs.context import Run, Setup
from bench.runs.tools import Tools
from bench.tracks.unlearning import Problem

CPU = torch.device("cpu")


@pytest.fixture
def run_of(tmp_path):
    """Return a function from a seed to a fresh run of that seed."""

    def make(seed=0, method="unlearning-privacy/x"):
        return Run(
            seed=seed, task="unlearning-privacy/toy", method=method, device=CPU, workdir=tmp_path
        )

    return make


@pytest.fixture(scope="session")
def toy():
    """Return a function that makes a small problem: blobs with some wrong labels, and a net that is
    not trained at all, or trained by ``epochs``.
    """

    @functools.cache
    def make(seed=0, rows=70, classes=4, forget=10, trained=True, shape=(6,), **protocol):
        generator = np.random.default_rng(seed)
        y = generator.integers(0, classes, rows + 30)
        x = (
            generator.standard_normal((rows + 30, math.prod(shape)))
            + 2 * np.eye(classes, math.prod(shape))[y]
        )
        y = np.where(
            generator.random(rows + 30) < 0.2, generator.integers(0, classes, rows + 30), y
        )
        x, y = torch.tensor(x, dtype=torch.float32).view(-1, *shape), torch.from_numpy(y)
        protocol = {"widths": (12, 8), "epochs": 4, "batch_size": 24, **protocol}
        mask = torch.zeros(rows, dtype=torch.bool)
        mask[torch.from_numpy(generator.permutation(rows)[:forget])] = True
        problem = Problem(
            weights={},
            x=x[:rows],
            y=y[:rows],
            forget=mask,
            x_val=x[rows:],
            y_val=y[rows:],
            n_classes=classes,
            **protocol,
        )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            nets = problem.architecture.fresh([contextlib.nullcontext()], CPU)
        if trained:
            optimiser = torch.optim.SGD(nets.parameters(), lr=0.05, momentum=0.9)
            for _ in range(40):
                optimiser.zero_grad()
                torch.nn.functional.cross_entropy(nets(problem.x[None])[0], problem.y).backward()
                optimiser.step()
        return msgspec.structs.replace(problem, weights=nets.net(0))

    return make


class _Serving(Tools):
    def __init__(self, data):
        self._data = data

    def dataset(self, run, name, params):
        return self._data[name]

    def quiet(self):
        return self


@pytest.fixture(scope="session")
def trial(tmp_path_factory):
    """Return a function from a method, a task and seeds to each seed's score; the seeds run in one
    stack, and a trial runs once a session.
    """
    folder, known = tmp_path_factory.mktemp("trials"), {}
    loading = Setup(seed=0, task="t", method="m", device=CPU, workdir=folder)
    data = {"digits": Digits().load(loading), "diabetes": Diabetes().load(loading)}

    def make(method, task, seeds):
        def run(kind, seed, axis=0):
            return kind(
                seed=seed,
                task=f"{task.card.track}/{task.card.name}",
                method=f"{task.card.track}/{method.card.name}",
                device=CPU,
                workdir=folder,
                artifacts=Artifacts(folder / "cache"),
                axis=axis,
                tools=_Serving(data),
            )

        setups = [run(Setup, seed) for seed in seeds]
        cases = [task.prepare(setup) for setup in setups]
        problems = [problem for case in cases for problem in case.problems]
        runs = [
            run(Run, seed, axis)
            for seed, case in zip(seeds, cases, strict=True)
            for axis in range(len(case.problems))
        ]
        stacked = method.card.stacked and len(problems) > 1
        solutions = (
            method.solve_stacked(problems, runs)
            if stacked
            else [method.solve(problem, item) for problem, item in zip(problems, runs, strict=True)]
        )
        scores = []
        for case, setup in zip(cases, setups, strict=True):
            count = len(case.problems)
            mine, solutions = solutions[:count], solutions[count:]
            counts, runs = [dict(item._counts) for item in runs[:count]], runs[count:]
            outcomes = [
                Outcome(solution=item, curve=[], kept={}, cost={}, counters=counters)
                for item, counters in zip(mine, counts, strict=True)
            ]
            task.reveal(case, setup)
            scores.append(task.evaluate(case, outcomes, setup))
        return scores

    def once(method, task, seeds):
        key = (
            method.card.name,
            tuple(method.values().items()),
            type(task).__name__,
            tuple(task.values().items()),
            seeds,
        )
        if key not in known:
            known[key] = make(method, task, seeds)
        return known[key]

    return once
