"""The state of the shared loop of the track ``active-learning``: what is known, and nets.

Shapes: K members (seeds), N rows, n known ones, C outputs, B rows of an update.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np
import torch
from torch.nn import functional as F

from bench.runs.context import Run
from bench.tracks.active_learning_problem import Problem
from bench.training import nets, optimisers
from bench.training.rows import beside, taken
from bench.training.stack import StackedNet

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Step(msgspec.Struct):
    """The rows of one update.

    Attributes:
        at: from 0 on.
        places: places among the rows trained on (K, B).
        x: inputs (K, B, ...).
        y: targets (K, B) or (K, B, C).
    """

    at: int
    places: torch.Tensor
    x: torch.Tensor
    y: torch.Tensor


class Session:
    """K problems of one protocol on their way through the rounds.

    Attributes:
        round: 0 at the start.
        known: known rows of each member (K, n), in the order in which they were asked.
        y: their targets (K, n) or (K, n, C).
        fresh: how many of them, the last, the last round brought.
        nets: the nets of the round.
    """

    nets: StackedNet

    def __init__(self, problems: Sequence[Problem], runs: Sequence[Run]) -> None:
        self.problems, self.runs = list(problems), list(runs)
        self.problem, self.members = self.problems[0], len(self.problems)
        self.device = self.problem.x.device
        self.round = 0
        self.known = torch.stack([one.start for one in self.problems])
        self.y = torch.stack([one.oracle(one.start) for one in self.problems])
        self.fresh = self.known.shape[1]

    @property
    def rest(self) -> int:
        """Rows to be asked this round."""
        marks = self.problem.marks
        return marks[self.round + 1] - marks[self.round] if self.round + 1 < len(marks) else 0

    def build(self, *axes: int | str) -> StackedNet:
        """Return fresh nets, drawn for the round."""
        inits = [run.seeded("init", self.round, *axes) for run in self.runs]
        problem = self.problem
        return nets.build(
            problem.net,
            problem.x.shape[1:],
            problem.n_outputs,
            inits,
            self.device,
            widths=problem.widths,
            batch=problem.batch_size,
        )

    def inputs(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the members' inputs (K, n, ...) of rows (K, n)."""
        pairs = zip(self.problems, rows, strict=True)
        return torch.stack([taken(problem.x, own) for problem, own in pairs])

    def steps(
        self, rows: torch.Tensor, y: torch.Tensor, steps: int, *axes: int | str, size: int = 0
    ) -> Iterator[Step]:
        """Yield updates on rows (K, n) with targets (K, n) or (K, n, C): each member's in an order
        of its own, all of them before one comes again.

        Args:
            rows: what is trained on (K, n).
            y: their targets (K, n) or (K, n, C).
            steps: updates.
            axes: tell streams of one round apart.
            size: rows of an update, at most all; 0: the problem's.
        """
        count = rows.shape[1]
        size = min(size or self.problem.batch_size, count)
        x = self.inputs(rows)
        places = torch.stack(
            [
                _orders(run.numpy_generator("order", self.round, *axes), count, steps, size)
                for run in self.runs
            ]
        ).to(self.device)
        for at in range(steps):
            own = places[:, at]
            yield Step(at, own, beside(x, own), beside(y, own))

    def dropping(self, *axes: int | str) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return a function that drops the problem's share of features (K, B, D), each member's by
        a stream of its own.
        """
        rate = self.problem.dropout
        drawn = [run.torch_generator("augment", self.round, *axes) for run in self.runs]

        def drop(features: torch.Tensor) -> torch.Tensor:
            return features * torch.stack([mask(features[0], rate, own) for own in drawn])

        return drop if rate else lambda features: features

    def optimiser(self, net: StackedNet) -> torch.optim.Optimizer:
        """Return the problem's optimiser."""
        problem = self.problem
        if problem.optimiser == "sgd":
            return optimisers.sgd(
                net.parameters(), problem.lr, problem.momentum, problem.weight_decay
            )
        adam = optimisers.adam(net.parameters(), problem.lr)
        for group in adam.param_groups:
            group["weight_decay"] = problem.weight_decay
        return adam

    def rate(self, done: float) -> float:
        """Return the learning rate when the share ``done`` in [0, 1] of a training is behind."""
        fall = 1 - done if self.problem.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2
        return self.problem.lr * fall

    def fit(
        self,
        rows: torch.Tensor,
        y: torch.Tensor,
        loss: Loss,
        *axes: int | str,
        steps: int = 0,
        after: Callable[[StackedNet, int], None] = lambda net, done: None,
    ) -> StackedNet:
        """Return fresh nets, trained on rows (K, n) with targets (K, n) or (K, n, C).

        Args:
            rows: what is trained on (K, n).
            y: their targets (K, n) or (K, n, C).
            loss: from outputs (K, B, C) and targets to losses (K, B).
            axes: tell trainings of one round apart.
            steps: updates; 0: the problem's.
            after: is told the nets and how many updates are done.
        """
        net, steps = self.build(*axes), steps or self.problem.steps
        optimiser, drop = self.optimiser(net), self.dropping(*axes)
        for step in self.steps(rows, y, steps, *axes):
            optimisers.set_rate(optimiser, self.rate(step.at / steps))
            self.update(optimiser, loss(net.head(drop(net.features(step.x))), step.y))
            after(net, step.at + 1)
        return net

    def update(
        self, optimiser: torch.optim.Optimizer, losses: torch.Tensor, visits: int = 0
    ) -> None:
        """Take a step down the mean of each member's losses (K, B), and count its ``visits``; 0:
        B.
        """
        optimiser.zero_grad(set_to_none=True)
        optimisers.descend(losses)
        optimiser.step()
        visits = visits or losses.shape[1]
        for run in self.runs:
            run.count(forward=visits, backward=visits)

    def learn(self, asked: Sequence[torch.Tensor]) -> None:
        """Go on to the next round, with the rows that each member asked (count,)."""
        pairs = zip(self.problems, asked, strict=True)
        answers = torch.stack([problem.oracle(rows) for problem, rows in pairs])
        self.known = torch.cat([self.known, torch.stack(list(asked)).to(self.device)], 1)
        self.y = torch.cat([self.y, answers], 1)
        self.fresh = answers.shape[1]
        self.round += 1


def risk(problem: Problem) -> Loss:
    """Return the loss that fits the targets, from outputs (K, B, C) and targets to (K, B): cross
    entropy of labels (K, B) or probabilities (K, B, C), or the squared error of numbers (K, B).
    """
    if problem.kind == "numbers":
        return lambda z, y: (z[..., 0] - y).square()
    if problem.kind == "probabilities":
        return lambda z, y: -(y * F.log_softmax(z, -1)).sum(-1)
    return lambda z, y: -F.log_softmax(z, -1).gather(-1, y[..., None])[..., 0]


def _orders(drawn: np.random.Generator, count: int, steps: int, size: int) -> torch.Tensor:
    passes = -(-steps * size // count)
    places = np.concatenate([drawn.permutation(count) for _ in range(passes)])
    return torch.from_numpy(places[: steps * size].reshape(steps, size))


def mask(like: torch.Tensor, rate: float, drawn: torch.Generator) -> torch.Tensor:
    """Return factors of the shape of ``like``, any shape: 0 with probability ``rate`` in [0, 1),
    else 1 / (1 - rate).
    """
    kept = torch.empty_like(like, device=drawn.device).bernoulli_(1 - rate, generator=drawn)
    return kept.to(like.device).div_(1 - rate)
