"""Ways to forget."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Method, MethodCard

from ...contracts import note_build


class Keep(Method):
    """Forget nothing."""

    card: ClassVar = MethodCard(name="keep", title="Keep the original", track="mock-unlearning")

    def solve(self, problem, run):
        return problem.original.clone()


class Descend(Method):
    """Gradient descent on the rows that stay, all problems and seeds in one batched product."""

    card: ClassVar = MethodCard(
        name="descend", title="Fine-tune on the rest", track="mock-unlearning", stacked=True
    )

    steps: Annotated[int, Meta(ge=1)] = 80
    lr: Annotated[float, Meta(gt=0)] = 0.002

    def solve(self, problem, run):
        return self.solve_stacked([problem], [run])[0]

    def solve_stacked(self, problems, runs):
        w = torch.stack([problem.original for problem in problems])[..., None]
        x = torch.stack([problem.x * ~problem.forget[:, None] for problem in problems])
        y = torch.stack([(2 * problem.y.double() - 1) * ~problem.forget for problem in problems])[
            ..., None
        ]
        for step in range(self.steps):
            w = w - self.lr * torch.baddbmm(problems[0].ridge * w, x.mT, torch.baddbmm(-y, x, w))
            for run, weights in zip(runs, w, strict=True):
                run.count(forward=x.shape[1], backward=x.shape[1])
                if step + 1 == self.steps:
                    run.report(step + 1, weights)
        return list(w.squeeze(-1))


class Downdate(Method):
    """A Newton step with the curvature of all rows, which it has built once and is charged for."""

    card: ClassVar = MethodCard(name="downdate", title="One Newton step", track="mock-unlearning")

    def solve(self, problem, run):
        def curvature(child):
            note_build("curvature")
            return {
                "h": problem.x.T @ problem.x
                + problem.ridge * torch.eye(problem.x.shape[1], dtype=torch.float64)
            }

        h = run.cached({"what": "curvature"}, curvature)[0]["h"]
        gone = problem.x[problem.forget]
        gradient = gone.T @ (gone @ problem.original - (2 * problem.y[problem.forget].double() - 1))
        return problem.original + torch.linalg.solve(h - gone.T @ gone, gradient)
