"""The supervised loop that tracks share, and the base class of the methods that replace its parts.

The loop is written for several seeds at once. Shapes: K members (seeds), B rows of a batch, N
training rows, C classes, M nets a seed. Losses are averaged over a member's batch and *summed* over
members, so gradients do not mix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar

import msgspec
import torch
from torch.nn import functional as F

from bench.contracts import Method
from bench.declared import Array, Outputs
from bench.runs.context import Run
from bench.training import optimisers
from bench.training.nets import StackedNet, vote
from bench.training.seeds import Batch, Problem, Seeds

__all__ = [
    "Batch",
    "Model",
    "Problem",
    "Seeds",
    "Solution",
    "SupervisedMethod",
    "cross_entropy",
    "sgd",
    "soft",
    "train",
    "train_step",
]

Model = Callable[[torch.Tensor], torch.Tensor]


class Solution(msgspec.Struct, kw_only=True):
    """What a method returns: a model, and what the method may say besides.

    Attributes:
        model: the classifier after the last epoch, from inputs (n, ...) to logits (n, C); of
            several nets, the first.
        labels: corrected training labels (N,), int64.
        clean_score: higher means more likely a right label (N,).
        kept: training rows the method would train on (N,), bool.
        ensemble: a second classifier made of all nets.
    """

    model: Annotated[Model, Outputs("C")]
    labels: Annotated[torch.Tensor | None, Array("N", dtype="int64", ge=0, lt="C")] = None
    clean_score: Annotated[torch.Tensor | None, Array("N", dtype="number", infinite=True)] = None
    kept: Annotated[torch.Tensor | None, Array("N", dtype="bool")] = None
    ensemble: Annotated[Model | None, Outputs("C")] = None


class SupervisedMethod(Method, frozen=True, kw_only=True):
    """The shared loop.

    As it stands it is plain cross entropy; methods replace its parts. What a method draws at random
    it draws at the start of an epoch and looks up by ``batch.step``, so that every pass of a step
    sees the same.

    Attributes:
        nets: M, the nets trained side by side for each seed.
        extra: outputs of the nets besides the C classes.
    """

    nets: ClassVar[int] = 1
    extra: ClassVar[int] = 0

    def gather(self, problems: Sequence[Problem], runs: Sequence[Run]) -> Seeds:
        """Return the problems and their runs as one pass."""
        return Seeds(problems, runs)

    def start(self, seeds: Seeds) -> Any:
        """Return the method's state: whatever the other hooks need between steps.

        The nets are ``seeds.nets``.
        """
        return None

    def optimiser(self, seeds: Seeds) -> torch.optim.Optimizer:
        """Return the optimiser of ``seeds.nets``; the loop sets its learning rate at each step."""
        return sgd(seeds)

    def rows(self, state: Any, epoch: int, orders: torch.Tensor) -> torch.Tensor:
        """Return the rows (K, n) that an epoch visits, in this order; a row may come again, and n
        is at most that of ``orders``.

        Args:
            state: what ``start`` returned.
            epoch: from 0.
            orders: every row once, each member's in an order of its own (K, n).
        """
        return orders

    def inputs(self, state: Any, batch: Batch) -> torch.Tensor:
        """Return what the nets are fed, (K, B, ...)."""
        return batch.x

    def forward(self, state: Any, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return what ``loss`` judges: mostly logits (K, B, C); with several nets (M, K, B, C)."""
        x = self.inputs(state, batch)
        logits: torch.Tensor = nets(
            x if self.nets == 1 else x.repeat(self.nets, *[1] * (x.dim() - 1))
        )
        return logits if self.nets == 1 else logits.unflatten(0, (self.nets, -1))

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Return losses whose mean over the last axis is each net's objective: (K, B), (M, K, B),
        or one mean taken already, (..., 1).

        Args:
            state: what ``start`` returned.
            batch: the rows of the step.
            logits: what ``forward`` returned, mostly (K, B, C).
        """
        return cross_entropy(logits, batch.y)

    def step(
        self, state: Any, nets: StackedNet, optimiser: torch.optim.Optimizer, batch: Batch
    ) -> None:
        """Move the nets by one batch."""
        train_step(self, nets, optimiser, state, batch)

    def before_step(self, state: Any, nets: StackedNet, batch: Batch) -> None:
        """Use or change the gradients before the nets move."""

    def after_epoch(self, state: Any, epoch: int) -> None:
        """Do what the method does between epochs."""

    def readout(self, state: Any, nets: StackedNet, k: int) -> Model:
        """Return net ``k`` of the stack as the classifier that is reported and handed over."""
        return nets.member(k)

    def finish(self, state: Any, seeds: Seeds) -> list[dict[str, Any]]:
        """Return for each member the fields of its solution besides the models."""
        return [{} for _ in range(seeds.members)]

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Train on one problem."""
        return self.solve_stacked([problem], [run])[0]

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Train on several problems of one protocol at once."""
        seeds = self.gather(problems, runs)
        seeds.nets = seeds.build(self.nets, extra=self.extra)
        state = self.start(seeds)
        train(self, seeds, state)
        return self.solutions(state, seeds)

    def solutions(self, state: Any, seeds: Seeds) -> list[Solution]:
        """Return the solutions of all members, once they are trained."""
        found, nets = [], range(0, self.nets * seeds.members, seeds.members)
        for k, extra in enumerate(self.finish(state, seeds)):
            models = [self.readout(state, seeds.nets, first + k) for first in nets]
            found.append(
                Solution(model=models[0], ensemble=vote(models) if self.nets > 1 else None, **extra)
            )
        return found


def train(method: SupervisedMethod, seeds: Seeds, state: Any, report: bool = True) -> None:
    """Train ``seeds.nets`` for the problem's epochs; unless ``report`` is
    off, show the task the models after each.
    """
    problem, total = seeds.problem, seeds.problem.epochs * seeds.steps
    optimiser = method.optimiser(seeds)
    ticks = [run.progress(problem.epochs, "epochs") for run in seeds.runs] if report else []
    for epoch in range(problem.epochs):
        rows = method.rows(state, epoch, seeds.order())
        for batch in seeds.epoch(epoch, rows):
            rate = problem.schedule.rate(
                problem.lr, epoch, (epoch * seeds.steps + batch.step) / total
            )
            optimisers.set_rate(optimiser, rate)
            method.step(state, seeds.nets, optimiser, batch)
        method.after_epoch(state, epoch)
        visits = method.nets * rows.shape[1]
        seeds.count(forward=visits, backward=visits)
        for k, tick in enumerate(ticks):
            seeds.runs[k].report(epoch + 1, method.readout(state, seeds.nets, k))
            tick()


def sgd(seeds: Seeds) -> torch.optim.SGD:
    """Return the optimiser of the problem's protocol for ``seeds.nets``."""
    problem = seeds.problem
    return optimisers.sgd(
        seeds.nets.parameters(), problem.lr, problem.momentum, problem.weight_decay
    )


def train_step(
    method: SupervisedMethod,
    nets: StackedNet,
    optimiser: torch.optim.Optimizer,
    state: Any,
    batch: Batch,
) -> None:
    """Take one step: forward, the method's loss, backward, update."""
    logits = method.forward(state, nets, batch)
    optimiser.zero_grad(set_to_none=True)
    optimisers.descend(method.loss(state, batch, logits))
    method.before_step(state, nets, batch)
    optimiser.step()


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return -log p_label, (...,), for logits (..., C) and labels (...,)."""
    return F.cross_entropy(logits.flatten(0, -2), labels.flatten(), reduction="none").view(
        labels.shape
    )


def soft(seeds: Seeds, targets: torch.Tensor) -> torch.Tensor:
    """Return targets that can be mixed: of labels (...,) one-hot rows (..., C), of real values
    (...,) the values (..., 1); of the inputs' type.
    """
    if targets.is_floating_point():
        return targets[..., None].to(seeds.problem.x.dtype)
    return F.one_hot(targets, seeds.problem.n_classes).to(seeds.problem.x.dtype)
