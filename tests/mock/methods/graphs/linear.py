"""Linear models on pooled node features."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from bench import Method, MethodCard


class GraphMethod(Method):
    """Pool the nodes, fit, report."""

    def weights(self, x, y, problem):
        """Return the weights of the features (d,)."""
        return torch.linalg.lstsq(x, y).solution

    def solve(self, problem, run):
        x = torch.stack([graph.x.mean(0) for graph in problem.graphs])
        y = torch.stack([2.0 * graph.y - 1 for graph in problem.graphs])
        with run.seeded("init"):
            model = nn.Linear(x.shape[1], 1, bias=False)
        start, goal = model.weight.detach().clone(), self.weights(x, y, problem)
        for step in range(1, problem.steps + 1):
            with torch.no_grad():
                model.weight.copy_(start + (goal - start) * self.path(step / problem.steps))
            run.report(step, model)
        return model

    def path(self, progress):
        """Say how far along the way from the start to the goal the model is."""
        return progress


class Pooled(GraphMethod):
    """Least squares over all places."""

    card: ClassVar = MethodCard(name="pooled", title="Least squares", track="mock-graphs")

    def weights(self, x, y, problem):
        if problem.env is not None:
            raise RuntimeError("a method that did not ask for env was shown it")
        return super().weights(x, y, problem)


class Invariant(GraphMethod):
    """The one feature whose agreement with the label is the same in every place."""

    card: ClassVar = MethodCard(
        name="invariant", title="Agreement over places", track="mock-graphs", needs=("env",)
    )

    def weights(self, x, y, problem):
        agrees = torch.stack(
            [(x * y[:, None])[problem.env == e].mean(0) for e in problem.env.unique()]
        )
        spread = agrees.max(0).values - agrees.min(0).values
        return agrees.mean(0) * (torch.arange(len(spread)) == spread.argmin())


class Strays(Pooled):
    """Reaches its goal half way and ends at the opposite: only a kept snapshot saves it."""

    card: ClassVar = MethodCard(name="strays", title="Strays from its goal", track="mock-graphs")

    def weights(self, x, y, problem):
        return torch.tensor([1.0, 0.0])

    def path(self, progress):
        return 1.0 if progress <= 0.5 else -50.0
