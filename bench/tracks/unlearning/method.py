"""The base class of the track's methods, and the steps they are made of."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch

from bench.contracts import Method
from bench.runs.context import Run
from bench.tracks.unlearning.group import Group, Rows
from bench.tracks.unlearning.nets import Nets
from bench.tracks.unlearning.problem import Problem, Solution
from bench.training.optimisers import descend, set_rate


class UnlearningMethod(Method, frozen=True, kw_only=True):
    """A method of the track: it writes :meth:`unlearn` for M models at once.

    Attributes:
        labels: False: the method gets no labels; it sees -1 in their place.
    """

    labels: ClassVar[bool] = True

    def unlearn(self, group: Group) -> Nets | list[Solution]:
        """Return the unlearned nets, or a solution for each member."""
        raise TypeError(
            f"method {self.name_of()!r} has no unlearn(self, group); write one that returns Nets "
            "or solutions."
        )

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Unlearn one problem."""
        return self._solutions(Group([problem], [run], labels=self.labels))[0]

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Unlearn several problems; those of equal sizes in one pass.

        One of a size of its own runs beside a twin, so that its bits stay.
        """
        groups: dict[tuple[Any, ...], list[int]] = {}
        for position, problem in enumerate(problems):
            recipe = (
                problem.epochs,
                problem.batch_size,
                problem.lr,
                problem.momentum,
                problem.weight_decay,
                problem.goal,
            )
            groups.setdefault(
                (
                    problem.architecture,
                    len(problem.y),
                    int(problem.forget.sum()),
                    len(problem.y_val),
                    recipe,
                ),
                [],
            ).append(position)
        found: dict[int, Solution] = {}
        for positions in groups.values():
            twin = len(positions) == 1 and len(problems) > 1
            group = Group(
                [problems[k] for k in positions],
                [runs[k] for k in positions],
                labels=self.labels,
                twin=twin,
            )
            found |= dict(zip(positions, self._solutions(group), strict=False))
        return [found[position] for position in range(len(problems))]

    def _solutions(self, group: Group) -> list[Solution]:
        unlearned = self.unlearn(group)
        return solutions(unlearned) if isinstance(unlearned, Nets) else unlearned


def solutions(nets: Nets, **said: Any) -> list[Solution]:
    """Return the members of ``nets`` as solutions, each with what else is ``said`` of it."""
    return [
        Solution(model=nets.member(k), weights=nets.net(k), **said) for k in range(nets.members)
    ]


def step(optimiser: torch.optim.Optimizer, losses: torch.Tensor) -> None:
    """Take one step on losses (M, B), each member by its own mean."""
    optimiser.zero_grad(set_to_none=True)
    descend(losses)
    optimiser.step()


def clip(nets: Nets, most: float) -> None:
    """Shrink the gradients of each member whose norm over all parameters is above ``most``."""
    gradients = [parameter.grad for parameter in nets.parameters() if parameter.grad is not None]
    norm = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients]).norm(dim=0)
    if bool((norm <= most).all()):
        return
    scale = (most / norm.clamp_min(1e-12)).clamp_max(1)
    for gradient in gradients:
        gradient *= scale.view(-1, *[1] * (gradient.dim() - 1))


def train(
    group: Group,
    nets: Nets,
    rows: Rows,
    *,
    first: int = 0,
    last: int | None = None,
    after: Callable[[], None] = lambda: None,
) -> Nets:
    """Train ``nets`` on ``rows`` by the recipe, or from epoch ``first`` up to ``last`` of it;
    ``after`` is called after every step.
    """
    problem = group.problem
    optimiser, total = group.sgd(nets, problem.lr), problem.epochs * rows.steps
    taken = itertools.count(first * rows.steps)
    for _ in group.epochs((problem.epochs if last is None else last) - first):
        for batch in rows.epoch():
            set_rate(optimiser, 0.5 * problem.lr * (1 + math.cos(math.pi * next(taken) / total)))
            step(optimiser, group.loss(nets(batch.x), batch.y))
            after()
    return nets
