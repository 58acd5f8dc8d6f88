"""Track ``noisy-labels``: train a classifier on labels of which some are wrong; it is judged on clean ones.

The loop is written for several seeds at once. Shapes: K members (seeds), B rows of a batch, N training rows, C classes,
M nets a seed. Losses are averaged over a member's batch and *summed* over members, so gradients do not mix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import msgspec
import torch
from torch.nn import functional as F

from bench.contracts import Method
from bench.runs.context import Run
from bench.training.stack import StackedMLP

__all__ = ["Batch", "Model", "NoisyLabelMethod", "Problem", "Seeds", "Solution", "cross_entropy", "train_step"]

Model = Callable[[torch.Tensor], torch.Tensor]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees: inputs, given labels and the protocol that all methods share.

    Attributes:
        x: standardised inputs (N, ...), float32.
        y: given labels (N,), int64; some are wrong.
        n_classes: C.
        widths: of the hidden layers of the standard net.
        epochs: passes over the data.
        batch_size: rows of a batch; the last one of an epoch may be smaller.
        lr: learning rate at the start; it falls to 0 along a half cosine.
        momentum: of SGD.
        weight_decay: of SGD.
        noise_rate: share of wrong labels, only for methods that need ``noise-rate``.
    """

    x: torch.Tensor
    y: torch.Tensor
    n_classes: int
    widths: tuple[int, ...] = (256,)
    epochs: int = 60
    batch_size: int = 128
    lr: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 0.0
    noise_rate: float | None = None


class Solution(msgspec.Struct, kw_only=True):
    """What a method returns.

    Attributes:
        model: the classifier after the last epoch, from inputs (n, ...) to logits (n, C); of several nets, the first.
        labels: corrected training labels (N,), int64.
        clean_score: higher means more likely a right label (N,).
        kept: training rows the method would train on (N,), bool.
        ensemble: a second classifier made of all nets.
    """

    model: Model
    labels: torch.Tensor | None = None
    clean_score: torch.Tensor | None = None
    kept: torch.Tensor | None = None
    ensemble: Model | None = None


class Batch(msgspec.Struct, frozen=True):
    """One step's rows, for all members.

    Attributes:
        step: number of the step within its epoch.
        epoch: from 0.
        rows: row numbers (K, B).
        flat: row numbers into state of shape (K * N, ...), (K, B).
        x: inputs (K, B, ...).
        y: given labels (K, B).
    """

    step: int
    epoch: int
    rows: torch.Tensor
    flat: torch.Tensor
    x: torch.Tensor
    y: torch.Tensor


class Seeds:
    """The K problems of a pass, their runs, and their data on the device as one tensor each.

    Attributes:
        problem: the first problem; the protocol is the same for all.
        runs: the K runs.
        members: K.
        n_rows: N.
        device: where everything lives.
        y: given labels (K, N).
        noise_rate: share of wrong labels of each member (K,), float64; None when the method's card does not need it.
    """

    def __init__(self, problems: Sequence[Problem], runs: Sequence[Run]) -> None:
        self.problem, self.runs = problems[0], list(runs)
        self.members, self.n_rows = len(problems), len(self.problem.y)
        self.device = runs[0].device
        self.y = torch.stack([problem.y for problem in problems]).to(self.device)
        shared = all(torch.equal(problem.x, self.problem.x) for problem in problems[1:])
        self._x = self.problem.x.to(self.device) if shared else torch.cat([problem.x for problem in problems]).to(self.device)
        self._offset = torch.arange(self.members, device=self.device)[:, None] * self.n_rows
        self._x_offset = self._offset * 0 if shared else self._offset
        rates = [problem.noise_rate for problem in problems if problem.noise_rate is not None]
        self.noise_rate = torch.tensor(rates, device=self.device, dtype=torch.float64) if len(rates) == self.members else None
        self._orders = [run.torch_generator("order", device="cpu") for run in runs]

    @property
    def steps(self) -> int:
        """Steps of one epoch."""
        return math.ceil(self.n_rows / self.problem.batch_size)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch: every row once, each member in its own order."""
        order = torch.stack([torch.randperm(self.n_rows, generator=generator) for generator in self._orders]).to(self.device)
        x, y = self._x[order + self._x_offset], self.y.gather(1, order)
        size = self.problem.batch_size
        for step, (rows, part_x, part_y) in enumerate(zip(order.split(size, 1), x.split(size, 1), y.split(size, 1), strict=True)):
            yield Batch(step, epoch, rows, rows + self._offset, part_x, part_y)

    def zeros(self, *shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Return zeros on the device."""
        return torch.zeros(*shape, dtype=dtype, device=self.device)


class NoisyLabelMethod(Method, frozen=True, kw_only=True):
    """The shared loop of the track. As it stands it is plain cross entropy; methods replace its parts.

    Attributes:
        nets: M, the nets trained side by side for each seed.
    """

    nets: ClassVar[int] = 1

    def start(self, seeds: Seeds) -> Any:
        """Return the method's state: whatever the other hooks need between steps."""
        return None

    def inputs(self, state: Any, batch: Batch) -> torch.Tensor:
        """Return what the nets are fed, (K, B, ...)."""
        return batch.x

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Return losses whose mean over the last axis is each net's objective: (K, B), (M, K, B), or one mean taken already, (..., 1).

        Args:
            state: what ``start`` returned.
            batch: the rows of the step.
            logits: (K, B, C); with several nets (M, K, B, C).
        """
        return cross_entropy(logits, batch.y)

    def after_epoch(self, state: Any, epoch: int) -> None:
        """Do what the method does between epochs."""

    def finish(self, state: Any, seeds: Seeds) -> list[dict[str, Any]]:
        """Return for each member the fields of its solution besides the models."""
        return [{} for _ in range(seeds.members)]

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Train on one problem."""
        return self.solve_stacked([problem], [run])[0]

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Train on several problems of one protocol at once."""
        seeds = Seeds(problems, runs)
        nets = _build(seeds, self.nets)
        state = self.start(seeds)
        self._train(seeds, nets, state)
        return [
            Solution(model=_member(nets, seeds, k), ensemble=_ensemble(nets, seeds, k, self.nets) if self.nets > 1 else None, **extra)
            for k, extra in enumerate(self.finish(state, seeds))
        ]

    def _train(self, seeds: Seeds, nets: StackedMLP, state: Any) -> None:
        problem = seeds.problem
        fused = seeds.device.type == "cuda"  # on a CPU the fused kernel rounds its last few elements otherwise, and which those are depends on K
        optimiser = torch.optim.SGD(nets.parameters(), lr=problem.lr, momentum=problem.momentum, weight_decay=problem.weight_decay, fused=fused)
        total = problem.epochs * seeds.steps
        ticks = [run.progress(problem.epochs, "epochs") for run in seeds.runs]
        for epoch in range(problem.epochs):
            for batch in seeds.epoch(epoch):
                optimiser.param_groups[0]["lr"] = 0.5 * problem.lr * (1 + math.cos(math.pi * (epoch * seeds.steps + batch.step) / total))
                train_step(self, nets, optimiser, state, batch)
            self.after_epoch(state, epoch)
            for k, (run, tick) in enumerate(zip(seeds.runs, ticks, strict=True)):
                run.count(forward=self.nets * seeds.n_rows, backward=self.nets * seeds.n_rows)
                run.report(epoch + 1, _member(nets, seeds, k))
                tick()


def train_step(method: NoisyLabelMethod, nets: StackedMLP, optimiser: torch.optim.Optimizer, state: Any, batch: Batch) -> None:
    """Take one step: forward, the method's loss, backward, update."""
    x = method.inputs(state, batch)
    if method.nets > 1:
        logits = nets(x.repeat(method.nets, *[1] * (x.dim() - 1))).unflatten(0, (method.nets, -1))
    else:
        logits = nets(x)
    optimiser.zero_grad(set_to_none=True)
    method.loss(state, batch, logits).mean(-1).sum().backward()
    optimiser.step()


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return -log p_label, (...,), for logits (..., C) and labels (...,)."""
    return F.cross_entropy(logits.flatten(0, -2), labels.flatten(), reduction="none").view(labels.shape)


def _build(seeds: Seeds, nets: int) -> StackedMLP:
    problem = seeds.problem
    sizes = (problem.x[0].numel(), *problem.widths, problem.n_classes)
    return StackedMLP(sizes, [run.seeded("init", net) for net in range(nets) for run in seeds.runs], seeds.device)


def _member(nets: StackedMLP, seeds: Seeds, k: int, net: int = 0) -> Model:
    return nets.member(net * seeds.members + k)


def _ensemble(nets: StackedMLP, seeds: Seeds, k: int, count: int) -> Model:
    members = [_member(nets, seeds, k, net) for net in range(count)]

    def vote(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([member(x).softmax(-1) for member in members]).mean(0).log()

    return vote
