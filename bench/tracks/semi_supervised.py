"""Track ``semi-supervised``: learn a classifier of few labelled rows and many without labels.

Shapes: K members (seeds), N rows, n_u rows of the pool, C classes, B rows of a batch.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch.nn import functional as F

from bench.cards import TrackCard
from bench.contracts import Method
from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.tracks.semi_supervised_problem import Batch, Members, Model, Problem, Solution
from bench.tracks.semi_supervised_views import View, viewed
from bench.training import optimisers
from bench.training.state import predict

__all__ = [
    "REPORTS",
    "Batch",
    "Members",
    "Model",
    "Problem",
    "SemiSupervisedMethod",
    "Solution",
    "View",
    "soft_cross_entropy",
    "viewed",
]

TRACK = TrackCard(
    name="semi-supervised",
    title="Semi-supervised learning",
    about="Train a classifier on few labelled rows and many without labels.",
    field="few labels",
    ranked="training methods, by accuracy on test rows",
)

REPORTS = 20
"""Reports of a run, evenly spaced over its steps."""


class SemiSupervisedMethod(Method, frozen=True, kw_only=True):
    """The shared loop: SGD on a loss, the only thing in which most methods differ.

    As it stands it is cross entropy on weak views of the labelled rows.

    Attributes:
        reads_pool: whether the method learns from the pool; if not, its batches have no such rows.
        decay: memory of the average of the weights, in [0, 1), once 1 / (1 - decay) steps are done.
    """

    reads_pool: ClassVar[bool] = True
    decay: ClassVar[float] = 0.99

    def start(self, members: Members) -> Any:
        """Return the method's state; the nets are ``members.nets``."""
        return members

    def optimiser(
        self, members: Members, parameters: Sequence[torch.Tensor]
    ) -> torch.optim.Optimizer:
        """Return the optimiser; the loop sets its rate at each step if it is SGD.

        Args:
            members: the problems and their nets.
            parameters: of nets and heads, each (K, ...).
        """
        problem = members.problem
        made = optimisers.sgd(parameters, problem.lr, problem.momentum, problem.weight_decay)
        for group in made.param_groups:
            group["nesterov"] = problem.momentum > 0
        return made

    def loss(self, state: Any, members: Members, batch: Batch) -> torch.Tensor:
        """Return the loss of each member (K,), whose gradient the step follows."""
        logits = members.nets(members.weak(batch.x, "labelled"))
        members.count(forward=logits.shape[1], backward=logits.shape[1])
        return soft_cross_entropy(logits, batch.y).mean(1)

    def after_step(self, state: Any, members: Members, done: int) -> None:
        """Do what the method does between steps; ``done`` counts those that are behind."""

    def parts(self, members: Members) -> list[int]:
        """Return into how many steps the run falls between changes of the labelled rows."""
        return [members.problem.steps]

    def after_part(self, state: Any, members: Members, part: int) -> None:
        """Change the labelled rows, ``members.lists`` and ``members.labels``, after a part."""

    def readout(self, state: Any, members: Members, k: int) -> Model:
        """Return the model of member ``k`` as it is reported and handed over."""
        return members.nets.member(k)

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Train on one problem."""
        return self.solve_stacked([problem], [run])[0]

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Train on several problems of one protocol at once.

        Raises:
            InvalidRun: the pool is empty, and the method learns from it.
        """
        members = Members(problems, runs)
        if self.reads_pool and not members.pool.shape[1]:
            raise InvalidRun(
                f"the pool is empty, and {self.card.name} learns from it; take a method of "
                "labelled rows alone, like sup-strong"
            )
        if not self.reads_pool:
            members.pool = members.pool[:, :0]
        return self.train(members)

    def train(self, members: Members) -> list[Solution]:
        """Train ``members`` for the problem's steps and return the solutions."""
        members.nets = members.build()
        state, problem = self.start(members), members.problem
        average = copy.deepcopy(members.nets)
        parameters = [
            own for module in (members.nets, *members.heads) for own in module.parameters()
        ]
        optimiser = self.optimiser(members, parameters)
        falls = isinstance(optimiser, torch.optim.SGD)
        ticks = [run.progress(problem.steps, "steps") for run in members.runs]
        every, done = max(1, problem.steps // REPORTS), 0
        for part, steps in enumerate(self.parts(members)):
            for batch in members.batches(done, steps):
                if falls:
                    rate = problem.lr * math.cos(7 * math.pi * batch.done / 16)
                    optimisers.set_rate(optimiser, rate)
                loss = self.loss(state, members, batch)
                optimiser.zero_grad(set_to_none=True)
                optimisers.descend(loss[:, None])
                optimiser.step()
                done = batch.step + 1
                _follow(average, members, max(1 / (done + 1), 1 - self.decay))
                self.after_step(state, members, done)
                for k, tick in enumerate(ticks):
                    tick()
                    if done % every == 0:
                        members.runs[k].report(done, self.readout(state, members, k))
            self.after_part(state, members, part)
        return [self._solution(state, members, average, k) for k in range(members.members)]

    def _solution(self, state: Any, members: Members, average: Any, k: int) -> Solution:
        model, own = self.readout(state, members, k), members.problems[k]
        found = Solution(model=model, average=average.member(k))
        if self.reads_pool:
            found.pseudo = predict(model, members.x[k, members.pool[k]]).softmax(-1)
            members.runs[k].count(forward=len(own.unlabelled))
            total, visits = members.weight[:, k]
            found.weight = total / visits.clamp_min(1)
        return found


def _follow(average: Any, members: Members, move: float) -> None:
    """Move the average by a share of the way to the nets."""
    with torch.no_grad():
        mine, other = list(average.parameters()), list(members.nets.parameters())
        for one, now in zip(mine, other, strict=True):
            one.lerp_(now, move)
        for kept, new in zip(average.buffers(), members.nets.buffers(), strict=True):
            kept.copy_(new)


def soft_cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the cross entropy of logits (K, B, C), (K, B), for labels (K, B) or probabilities (K,
    B, C).
    """
    flat = F.cross_entropy(logits.flatten(0, 1), targets.flatten(0, 1), reduction="none")
    return flat.view(logits.shape[:2])
