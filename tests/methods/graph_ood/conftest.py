"""Shared pieces: small problems made by hand, runs made by hand, and
trials of a method on a task without the command line.
"""

import copy

import msgspec
import numpy as np
import pytest
import torch

from bench.contracts import Outcome
from bench.runs.context import Run, Setup
from bench.runs.tools import Tools
from bench.tracks.graph_ood import Problem
from bench.training.graphs import Graphs
from bench.training.state import inspecting

CPU = torch.device("cpu")


@pytest.fixture
def run_of(tmp_path):
    """Return a function from a seed to a fresh run of that seed."""

    def make(seed=0, method="graph-ood/x", tools=None):
        return Run(
            seed=seed,
            task="graph-ood/toy",
            method=method,
            device=CPU,
            workdir=tmp_path,
            tools=tools,
        )

    return make


@pytest.fixture(scope="session")
def graphs_of():
    """Return a function that draws random graphs."""
    return random_graphs


def random_graphs(count, seed=0, features=3, smallest=1):
    """Random graphs of ``smallest`` to eleven nodes; some have no edge."""
    generator = np.random.default_rng(seed)

    def one():
        n = int(generator.integers(smallest, 12))
        edges = generator.integers(0, n, (2, int(generator.integers(0, 2 * n))))
        return generator.standard_normal((n, features)), edges[:, edges[0] != edges[1]]

    return Graphs.pack([one() for _ in range(count)])


@pytest.fixture
def toy():
    """Return a function that makes a small problem with three classes, or answers or targets."""

    def make(seed=0, count=70, kind="classes", env=None, **protocol):
        generator = torch.Generator().manual_seed(seed)
        y = (
            torch.randint(0, 3, (count,), generator=generator)
            if kind == "classes"
            else torch.randn(count, 2, generator=generator)
        )
        y = (y.sign() * (y.abs() > 0.2)).to(torch.int8).clamp_max(1) if kind == "binary" else y
        protocol = {
            "hidden": 8,
            "layers": 2,
            "epochs": 3,
            "batch_size": 16,
            "outputs": 3 if kind == "classes" else 2,
            **protocol,
        }
        return Problem(graphs=random_graphs(count, seed), y=y, kind=kind, env=env, **protocol)

    return make


class _Serving(Tools):
    """Lets the task watch, and notes losses."""

    def __init__(self, task):
        self.task, self.case = task, None

    def report(self, run, step, model):
        with inspecting(model):
            watched = self.task.watch(self.case, 0, step, model)
        run._curve.append({"step": step, **watched.scores})
        for name in watched.keep:
            run._kept[name] = copy.deepcopy(model)


@pytest.fixture(scope="session")
def trial(tmp_path_factory):
    """Return a function from a method (or the name of a task's reference), a task and seeds to each
    seed's metrics; each runs once a session.
    """
    folder, known = tmp_path_factory.mktemp("trials"), {}

    def one(method, task, seed):
        name = method if isinstance(method, str) else method.card.name
        tools = _Serving(task)

        def run(kind):
            return kind(
                seed=seed,
                task=f"graph-ood/{task.card.name}",
                method=f"graph-ood/{name}",
                device=CPU,
                workdir=folder,
                tools=tools,
            )

        setup = run(Setup)
        tools.case = task.prepare(setup)
        problem, solver = tools.case.problems[0], run(Run)
        if isinstance(method, str) or "env" not in method.card.needs:
            problem = msgspec.structs.replace(problem, env=None)
        solution = (
            getattr(task, method)(problem, tools.case.hidden, solver)
            if isinstance(method, str)
            else method.solve(problem, solver)
        )
        return task.evaluate(
            tools.case,
            [
                Outcome(
                    solution=solution, curve=solver._curve, kept=solver._kept, cost={}, counters={}
                )
            ],
            setup,
        ).metrics

    def once(method, task, seeds):
        for seed in seeds:
            if (method, task, seed) not in known:
                known[method, task, seed] = one(method, task, seed)
        return [known[method, task, seed] for seed in seeds]

    return once
