"""Track ``algorithmic``: train a net on a part of a table that a rule makes, and see whether it
finds the rule.

Shapes: K members (seeds), N rows, B rows of a batch, C outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import msgspec
import torch
from torch.nn import functional as F

from bench.cards import TrackCard
from bench.contracts import Method
from bench.declared import Array, Meta, Outputs, Size
from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.training import optimisers
from bench.training.rows import beside
from bench.training.square_net import SquareNets
from bench.training.stack import StackedMLP, StackedNet

__all__ = ["EVERY", "AlgorithmicMethod", "Batch", "Members", "Problem", "Solution", "squared"]

TRACK = TrackCard(
    name="algorithmic",
    title="Algorithmic data",
    about="Train a net on a part of a table that a rule makes.",
    field="streams and defects",
    ranked="training methods, by how well the net follows the rule where it saw nothing",
)

EVERY = 20
"""Steps between two reports."""

Model = Callable[[torch.Tensor], torch.Tensor]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees: rows of the table, and the protocol that all methods share.

    Attributes:
        x: pairs of codes (N, 2), int64, for the net ``square``; signs (N, d), float32, for ``mlp``.
        y: classes (N,), int64, or values (N,), float32.
        n_out: C, outputs: a class each, or 1 for values.
        symbols: values that a code takes; 0: there are no codes.
        net: ``square`` or ``mlp``.
        widths: units of ``square``, or of the hidden layers of ``mlp``.
        steps: updates.
        batch_size: rows of a batch, drawn at random with replacement; 0: all rows in every step.
        lr: rate of Adam.
        betas: of Adam, each in [0, 1).
        weight_decay: of the weights, beside Adam, in units of the rate.
        signs: that rows are signs; only for methods that need ``signs``.
        codes: that rows are codes, and the net is ``square``; only for methods that need ``codes``.
    """

    x: Annotated[torch.Tensor, Array("N", "k", dtype="number")]
    y: Annotated[torch.Tensor, Array("N", dtype="number")]
    n_out: Annotated[int, Size("C")]
    symbols: Annotated[int, Meta(ge=0)] = 0
    net: Literal["square", "mlp"] = "mlp"
    widths: tuple[int, ...] = (128, 128)
    steps: Annotated[int, Meta(ge=1)] = 800
    batch_size: Annotated[int, Meta(ge=0)] = 64
    lr: Annotated[float, Meta(gt=0)] = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0
    signs: bool | None = None
    codes: bool | None = None


class Solution(msgspec.Struct, kw_only=True):
    """What a method returns.

    Attributes:
        model: from rows (n, k) to outputs (n, C).
        units: weights of each unit of a ``square`` net (3, u, p), of the first code, the second and
            the output; None: the net is another.
    """

    model: Annotated[Model, Outputs("C")]
    units: Annotated[torch.Tensor | None, Array(3, "u", "p", dtype="float32")] = None


class Batch(msgspec.Struct, frozen=True):
    """One step's rows, for all members.

    Attributes:
        step: from 0.
        rows: row numbers (K, B).
        x: rows (K, B, k).
        y: classes or values (K, B).
    """

    step: int
    rows: torch.Tensor
    x: torch.Tensor
    y: torch.Tensor


class Members:
    """The K problems of a pass, their runs, and their data on the device.

    Attributes:
        problem: the first problem; the protocol is the same for all.
        runs: the K runs.
        members: K.
        n_rows: N.
        x: rows (K, N, k).
        y: classes or values (K, N).
        nets: the stack in training.
        optimiser: what moves it.
    """

    nets: StackedNet
    optimiser: torch.optim.Optimizer

    def __init__(self, problems: Sequence[Problem], runs: Sequence[Run]) -> None:
        self.problem, self.runs = problems[0], list(runs)
        self.members, self.n_rows = len(problems), len(problems[0].y)
        self.device = runs[0].device
        self.x = torch.stack([problem.x for problem in problems]).to(self.device)
        self.y = torch.stack([problem.y for problem in problems]).to(self.device)
        self._orders = [run.torch_generator("order", device="cpu") for run in self.runs]

    def build(self) -> StackedNet:
        """Return one fresh net a member, from the streams ``init``."""
        problem, inits = self.problem, [run.seeded("init") for run in self.runs]
        if problem.net == "square":
            return SquareNets(problem.symbols, problem.widths[0], problem.n_out, inits, self.device)
        sizes = (problem.x.shape[1], *problem.widths, problem.n_out)
        return StackedMLP(sizes, inits, self.device)

    def batch(self, step: int, allowed: torch.Tensor | None) -> Batch:
        """Return the rows of a step: all of them, or some drawn among those ``allowed`` (K, N),
        bool; None: among all.

        Raises:
            InvalidRun: a member has no row that is allowed.
        """
        size, rows = self.problem.batch_size, torch.arange(self.n_rows, device=self.device)
        if not size:
            return Batch(step, rows.expand(self.members, -1), self.x, self.y)
        drawn = torch.stack([torch.rand(size, generator=g) for g in self._orders]).to(self.device)
        if allowed is None:
            chosen = (drawn * self.n_rows).long()
        else:
            counts = allowed.sum(1, keepdim=True)
            if not bool(counts.all()):
                raise InvalidRun("a step has no row to learn from; let at least one row be learned")
            # rows that are allowed first, in their order
            first = (~allowed).int().argsort(dim=1, stable=True)
            chosen = first.gather(1, (drawn * counts).long())
        return Batch(step, chosen, beside(self.x, chosen), self.y.gather(1, chosen))

    def count(self, forward: int = 0, backward: int = 0) -> None:
        """Count visits of rows for every member."""
        for run in self.runs:
            run.count(forward=forward, backward=backward)


class AlgorithmicMethod(Method, frozen=True, kw_only=True):
    """The shared loop: Adam on the squared error, to one-hot rows where labels are classes."""

    def decay(self, problem: Problem) -> float:
        """Return how strongly weights decay, in units of the rate."""
        return problem.weight_decay

    def start(self, members: Members) -> Any:
        """Return the method's state; the nets are ``members.nets``."""
        return None

    def allowed(self, state: Any, members: Members, step: int) -> torch.Tensor | None:
        """Return the rows that the step may draw (K, N), bool; None: all."""
        return None

    def forward(self, state: Any, members: Members, batch: Batch) -> torch.Tensor:
        """Return outputs (K, B, C)."""
        outputs: torch.Tensor = members.nets(batch.x)
        return outputs

    def loss(self, state: Any, batch: Batch, outputs: torch.Tensor) -> torch.Tensor:
        """Return losses (K, B), whose mean over the last axis is each net's objective."""
        return squared(outputs, batch.y)

    def after_step(self, state: Any, members: Members, batch: Batch, losses: torch.Tensor) -> None:
        """Do what the method does when the nets have moved; ``losses`` (K, B) are the step's."""

    def finish(self, state: Any, members: Members) -> None:
        """Change the nets once they are trained."""

    def readout(self, state: Any, members: Members, k: int) -> Model:
        """Return the model of member ``k`` as it is reported and handed over."""
        return members.nets.member(k)

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Train on one problem."""
        return self.solve_stacked([problem], [run])[0]

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Train on several problems of one protocol at once."""
        members = Members(problems, runs)
        members.nets = members.build()
        state = self.fit(members)
        self.finish(state, members)
        return [
            Solution(model=self.readout(state, members, k), units=units_of(members.nets, k))
            for k in range(members.members)
        ]

    def fit(self, members: Members) -> Any:
        """Take the problem's steps and return the method's state."""
        problem = members.problem
        members.optimiser = optimisers.adam(members.nets.parameters(), problem.lr)
        for group in members.optimiser.param_groups:
            group["betas"] = problem.betas
        state, shrink = self.start(members), 1 - problem.lr * self.decay(problem)
        ticks = [run.progress(problem.steps, "steps") for run in members.runs]
        for step in range(problem.steps):
            batch = members.batch(step, self.allowed(state, members, step))
            losses = self.loss(state, batch, self.forward(state, members, batch))
            members.optimiser.zero_grad(set_to_none=True)
            optimisers.descend(losses)
            size = batch.y.shape[1]
            members.count(forward=size, backward=size)
            if shrink != 1:
                with torch.no_grad():
                    for own in members.nets.parameters():
                        own.mul_(shrink)
            members.optimiser.step()
            self.after_step(state, members, batch, losses.detach())
            for k, tick in enumerate(ticks):
                tick()
                if (step + 1) % EVERY == 0:
                    members.runs[k].report(step + 1, self.readout(state, members, k))
        return state


def squared(outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the squared error (K, B) of outputs (K, B, C): the mean over outputs of the distance
    from one-hot rows of classes (K, B), or the distance from values (K, B).
    """
    if y.is_floating_point():
        return (outputs[..., 0] - y).square()
    return (outputs - F.one_hot(y, outputs.shape[-1])).square().mean(-1)


def units_of(nets: StackedNet, k: int) -> torch.Tensor | None:
    """Return the weights of each unit of net ``k`` (3, N, p), where it has two codes and as many
    outputs as codes.
    """
    if not isinstance(nets, SquareNets) or nets.out.shape[1] != nets.first.shape[1]:
        return None
    return torch.stack([own.detach()[k].T for own in (nets.first, nets.second, nets.out)])
