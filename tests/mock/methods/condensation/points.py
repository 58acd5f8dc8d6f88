"""Ways to choose few points."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Method, MethodCard

from ...contracts import SmallSet


class Rows(Method):
    """Random rows of each class."""

    card: ClassVar = MethodCard(name="rows", title="Random rows", track="mock-condensation")

    def solve(self, problem, run):
        generator = run.numpy_generator("method")
        parts = [torch.where(problem.y == c)[0].numpy() for c in range(2)]
        rows = torch.cat(
            [torch.from_numpy(generator.permutation(part)[: problem.per_class]) for part in parts]
        )
        return SmallSet(x=problem.x[rows], y=problem.y[rows])


class Means(Method):
    """The mean of each class, as often as the budget allows."""

    card: ClassVar = MethodCard(name="means", title="Class means", track="mock-condensation")

    def solve(self, problem, run):
        x = torch.stack(
            [problem.x[problem.y == c].mean(0) for c in range(2) for _ in range(problem.per_class)]
        )
        return SmallSet(x=x, y=torch.arange(2).repeat_interleave(problem.per_class))
