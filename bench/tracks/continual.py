"""Track ``continual``: learn from a stream of tasks that is read once.

Shapes: K members (seeds), B rows of a batch, R rows that a step feeds, n rows of a task, C classes,
T tasks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
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
from bench.training.memory import Memory, Store
from bench.training.stack import StackedMLP, StackedNet
from bench.training.stream import Chunk, Stream, refuse_hoards, together

__all__ = ["Chunk", "ContinualMethod", "Members", "Problem", "Solution", "Stream", "cross_entropy"]

TRACK = TrackCard(
    name="continual",
    title="Continual learning",
    about="Learn from a stream of tasks that is read once.",
    field="streams and defects",
    ranked="training methods, by accuracy on all tasks at the stream's end, or on new tasks late "
    "in it",
)

Model = Callable[[torch.Tensor], torch.Tensor]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees: a stream, and the protocol that all methods share.

    Attributes:
        stream: the rows, task by task; it is read once.
        n_classes: C, outputs of the one head.
        tasks: T.
        widths: of the hidden layers.
        epochs: passes over a task's rows.
        batch_size: B.
        optimiser: of the steps.
        lr: its rate.
        watched: whether the model is reported after each task, or before each pass.
        memory: the store; only for methods that need ``memory``.
        task_id: the task of each class (C,); only for methods that need ``task-id``.
    """

    stream: Stream
    n_classes: Annotated[int, Size("C", least=2)]
    tasks: Annotated[int, Size("T")]
    widths: tuple[int, ...] = (256,)
    epochs: Annotated[int, Meta(ge=1)] = 1
    batch_size: Annotated[int, Meta(ge=1)] = 10
    optimiser: Literal["sgd", "adam"] = "sgd"
    lr: Annotated[float, Meta(gt=0)] = 0.05
    watched: Literal["tasks", "passes"] = "tasks"
    memory: Store | None = None
    task_id: Annotated[torch.Tensor | None, Array("C", dtype="int64", ge=0, lt="T")] = None


class Solution(msgspec.Struct, kw_only=True):
    """What a method returns.

    Attributes:
        model: the classifier at the stream's end, from inputs (n, ...) to logits (n, C).
    """

    model: Annotated[Model, Outputs("C")]


class Members:
    """The K problems of a pass and their runs.

    Attributes:
        problem: the first problem; the protocol is the same for all.
        problems: all K of them.
        runs: the K runs.
        members: K.
        device: where everything lives.
        nets: the stack in training.
        optimiser: what moves it.
    """

    nets: StackedNet
    optimiser: torch.optim.Optimizer

    def __init__(self, problems: Sequence[Problem], runs: Sequence[Run]) -> None:
        self.problem, self.problems, self.runs = problems[0], list(problems), list(runs)
        self.members, self.device = len(problems), runs[0].device
        self.streams = [problem.stream for problem in problems]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Widths of the standard net, from input to output."""
        problem = self.problem
        return (math.prod(problem.stream.shape), *problem.widths, problem.n_classes)

    @property
    def steps(self) -> int:
        """Steps of the whole stream."""
        return sum(self.problem.stream.steps)

    @property
    def task_id(self) -> torch.Tensor:
        """The task of each class (K, C); for methods that need ``task-id``.

        Raises:
            InvalidRun: the task does not tell.
        """
        told = [problem.task_id for problem in self.problems]
        if any(own is None for own in told):
            raise InvalidRun("the tasks of classes are not told; name task-id in the card's needs")
        return torch.stack([own for own in told if own is not None]).to(self.device)

    def build(self, *axes: int | str) -> StackedMLP:
        """Return one fresh net a member, from the streams ``init``."""
        return StackedMLP(self.sizes, [run.seeded("init", *axes) for run in self.runs], self.device)

    def memory(self, outputs: int = 0) -> Memory:
        """Open the stores, which each method does once; ``outputs`` logits are kept with a row.

        Raises:
            InvalidRun: the method was given none, or has opened it.
        """
        stores = [problem.memory for problem in self.problems]
        if any(store is None for store in stores):
            raise InvalidRun("there is no store; name memory in the card's needs")
        draws = [run.torch_generator("method", "memory", device="cpu") for run in self.runs]
        own = [store for store in stores if store is not None]
        return Memory(own, self.problem.stream.shape, outputs, draws, self.device)

    def chunks(self) -> Iterator[Chunk]:
        """Yield the steps of all members, inputs (K, B, ...)."""
        return together(self.streams)

    def ended(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the rows of the task that ends with this chunk (K, n, ...) and their labels (K,
        n), once more.
        """
        x, y = zip(*(stream.ended() for stream in self.streams), strict=True)
        return torch.stack(x), torch.stack(y)

    def count(self, forward: int = 0, backward: int = 0) -> None:
        """Count visits of rows for every member."""
        for run in self.runs:
            run.count(forward=forward, backward=backward)


class ContinualMethod(Method, frozen=True, kw_only=True):
    """The shared loop: one step a batch of the stream.

    As it stands it is naive training: cross entropy over all classes. A batch is overwritten after
    its step; what a method keeps of rows it keeps in :meth:`Members.memory`.
    """

    def net(self, members: Members) -> StackedNet:
        """Return the nets as drawn."""
        return members.build()

    def optimiser(self, members: Members) -> torch.optim.Optimizer:
        """Return the optimiser of ``members.nets``."""
        problem = members.problem
        if problem.optimiser == "adam":
            return optimisers.adam(members.nets.parameters(), problem.lr)
        return optimisers.sgd(members.nets.parameters(), problem.lr, 0.0, 0.0)

    def start(self, members: Members) -> Any:
        """Return the method's state; the nets are ``members.nets``."""
        return None

    def begin(self, state: Any, members: Members, t: int) -> None:
        """Do what the method does before task ``t``."""

    def inputs(self, state: Any, batch: Chunk) -> torch.Tensor:
        """Return what the nets are fed (K, R, ...), the batch's rows first."""
        return batch.x

    def forward(self, state: Any, members: Members, batch: Chunk) -> torch.Tensor:
        """Return the logits (K, R, C) of what ``inputs`` returned."""
        logits: torch.Tensor = members.nets(self.inputs(state, batch))
        return logits

    def loss(self, state: Any, batch: Chunk, logits: torch.Tensor) -> torch.Tensor:
        """Return losses whose mean over the last axis is each net's objective, (K, R) or (K, 1).

        Args:
            state: what ``start`` returned.
            batch: the rows of the step.
            logits: of what ``inputs`` returned (K, R, C).
        """
        return cross_entropy(logits, batch.y)

    def before_step(self, state: Any, members: Members, batch: Chunk) -> None:
        """Use or change the gradients before the nets move."""

    def after_step(self, state: Any, members: Members, batch: Chunk, logits: torch.Tensor) -> None:
        """Do what the method does when the nets have moved; ``logits`` (K, R, C) are the step's."""

    def end(
        self, state: Any, members: Members, t: int, rows: tuple[torch.Tensor, torch.Tensor]
    ) -> None:
        """Do what the method does when task ``t`` ends.

        Args:
            state: what ``start`` returned.
            members: the seeds.
            t: the task.
            rows: its inputs (K, n, ...) and labels (K, n), which are overwritten afterwards.
        """

    def readout(self, state: Any, members: Members, k: int) -> Model:
        """Return the model of member ``k`` as it is reported and handed over."""
        return members.nets.member(k)

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Learn one stream."""
        return self.solve_stacked([problem], [run])[0]

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Learn several streams of one protocol at once."""
        members = Members(problems, runs)
        state = self.fit(members)
        return [Solution(model=self.readout(state, members, k)) for k in range(members.members)]

    def fit(self, members: Members) -> Any:
        """Read the stream and return the method's state."""
        members.nets = self.net(members)
        members.optimiser = self.optimiser(members)
        state = self.start(members)
        ticks = [run.progress(members.steps, "steps") for run in members.runs]
        passes, after_tasks = 0, members.problem.watched == "tasks"
        for chunk in members.chunks():
            if chunk.step == 0:
                # by now the last batch of the task before is overwritten
                refuse_hoards(state, members.streams)
                self.begin(state, members, chunk.t)
            if chunk.start and not after_tasks:
                passes += 1
                self.report(state, members, passes)
            self.step(state, members, chunk)
            for tick in ticks:
                tick()
            if chunk.last:
                self._finish_task(state, members, chunk)
            if chunk.last and after_tasks:
                self.report(state, members, chunk.t + 1)
        refuse_hoards(state, members.streams)
        return state

    def step(self, state: Any, members: Members, batch: Chunk) -> None:
        """Move the nets by one batch."""
        logits = self.forward(state, members, batch)
        members.optimiser.zero_grad(set_to_none=True)
        optimisers.descend(self.loss(state, batch, logits))
        members.count(forward=logits.shape[1], backward=logits.shape[1])
        self.before_step(state, members, batch)
        members.optimiser.step()
        self.after_step(state, members, batch, logits.detach())

    def report(self, state: Any, members: Members, step: int) -> None:
        """Show the task the models."""
        for k, run in enumerate(members.runs):
            run.report(step, self.readout(state, members, k))

    def _finish_task(self, state: Any, members: Members, chunk: Chunk) -> None:
        x, y = members.ended()
        self.end(state, members, chunk.t, (x, y))
        x.fill_(torch.nan)
        y.zero_()


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return -log p_label (K, B) for logits (K, B, C) and labels (K, B)."""
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view(
        labels.shape
    )
