"""The best of several random sets: random images at a cost that is not nothing."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

from bench import Meta, Method, MethodCard, Run
from bench.tracks.condensation import ClassSampler, Problem, SmallSet, real_rows
from bench.training.fitting import fit, outputs, passes_of


class BestOfRandom(Method):
    """Draw several random sets, train a net on each, and keep the set
    whose net finds the given labels of most training images.
    """

    card: ClassVar = MethodCard(
        name="random-best",
        title="The best of eight random sets, by the training images",
        track="condensation",
        deviates="Eight draws, because eight trainings and looks visit about as many images as "
        "ncfm, the leader of the board in the suite 2026.2.",
        plain=True,
        defaults_from="here",
    )
    draws: Annotated[int, Meta(ge=1)] = 8
    """Sets to choose among; the first is the one of random."""
    epochs: Annotated[int, Meta(ge=1)] = 200
    """Passes of a net over its set."""

    def solve(self, problem: Problem, run: Run) -> SmallSet:
        """Draw, train all nets side by side, choose; of equal sets the first."""
        sampler = ClassSampler(problem, run.torch_generator("method", "sets", device="cpu"))
        sets = [
            real_rows(problem, run),
            *(sampler.rows(problem.ipc).flatten() for _ in range(self.draws - 1)),
        ]
        batch = min(problem.batch_size, problem.budget)
        steps = math.ceil(self.epochs * problem.budget / batch)
        net = problem.net()
        start = [
            tensor.to(problem.x.device)
            for tensor in net.init(
                [
                    run.torch_generator("init", "sets", place, device="cpu")
                    for place in range(self.draws)
                ]
            )
        ]
        orders = [
            run.torch_generator("order", "sets", place, device="cpu") for place in range(self.draws)
        ]
        params = fit(
            net,
            start,
            problem.x,
            problem.y,
            passes_of(sets, batch, steps, orders),
            problem.recipe(steps),
        )
        right = (outputs(net, params, problem.x).argmax(-1) == problem.y).sum(1)
        run.count(
            forward=self.draws * (steps * batch + len(problem.y)),
            backward=self.draws * steps * batch,
        )
        return problem.take([sets[int(right.argmax())]], None, None)
