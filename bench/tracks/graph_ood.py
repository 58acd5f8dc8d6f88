"""Track ``graph-ood``: predict a property of whole graphs; judged on graphs from elsewhere than the
training graphs.

Shapes: N training graphs, B graphs of a batch, C outputs, d hidden units.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import msgspec
import torch
from msgspec import Meta

from bench.cards import TrackCard
from bench.contracts import Method
from bench.declared import Array, Outputs, Size
from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.tracks.graph_ood_losses import Kind, graph_losses, kind_of
from bench.training.gnn import GNN, Backbone, Readout
from bench.training.graphs import GraphBatch, Graphs

__all__ = [
    "Batch",
    "GraphMethod",
    "Kind",
    "Problem",
    "Solution",
    "Training",
    "WeightLog",
    "graph_losses",
    "kind_of",
]

TRACK = TrackCard(
    name="graph-ood",
    title="Graph shift",
    about="Train on graphs whose shortcuts do not hold in the test.",
    field="shift",
    ranked="training methods, by their scores on graphs from elsewhere than the training graphs",
)

SMALLEST = 8
"""A last batch of fewer graphs is left out of an epoch, unless it is the only one."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees: the training graphs and the protocol that all methods share.

    Validation and test graphs belong to the task, which chooses the epoch by them.

    Attributes:
        graphs: the N training graphs.
        y: their labels (N,) int64; or answers to C questions (N, C) int8, 1, 0, or -1 where it is
            missing; or targets (N, C) float32, standardised, NaN where one is missing.
        kind: which of the three ``y`` is: ``classes``, ``binary`` or ``numbers``.
        outputs: C: classes, questions or targets.
        env: number of each graph's environment (N,), int64, only for methods that need ``env``.
        backbone: layers of the standard net.
        virtual_node: whether its graphs have one.
        layers: how many layers.
        hidden: d.
        dropout: of its hidden units.
        readout: how nodes become a graph.
        epochs: passes over the graphs.
        batch_size: graphs of a batch.
        lr: learning rate of Adam.
        decay_at: epoch from which on the learning rate is a tenth; 0: never.
    """

    graphs: Graphs
    y: Annotated[
        torch.Tensor,
        Array("N", dtype="int64", ge=0, lt="C"),
        Array("N", "C", dtype="int8", ge=-1, le=1),
        Array("N", "C", dtype="float32", nan=True),
    ]
    kind: Kind = "classes"
    outputs: Annotated[int, Size("C")]
    env: Annotated[torch.Tensor | None, Array("N", dtype="int64", ge=0)] = None
    backbone: Backbone = "gin"
    virtual_node: bool = False
    layers: Annotated[int, Meta(ge=1)] = 3
    hidden: Annotated[int, Meta(ge=1)] = 32
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    readout: Readout = "mean"
    epochs: Annotated[int, Meta(ge=1)] = 40
    batch_size: Annotated[int, Meta(ge=1)] = 128
    lr: Annotated[float, Meta(gt=0)] = 3e-3
    decay_at: Annotated[int, Meta(ge=0)] = 0

    def validate(self) -> None:
        """Hold the fields against each other.

        Raises:
            InvalidRun: there is not one label a graph, or it is of another kind than is said.
        """
        if len(self.y) != len(self.graphs):
            raise InvalidRun(f"y has {len(self.y)} rows for {len(self.graphs)} graphs")
        if kind_of(self.y) != self.kind:
            raise InvalidRun(
                f"kind is {self.kind!r}, and y, {self.y.dtype} of shape {tuple(self.y.shape)}, "
                f"holds {kind_of(self.y)!r}"
            )

    def net(self) -> GNN:
        """Return the standard net, drawn from the global stream; call it
        inside ``run.seeded("init")``.
        """
        return GNN(
            self.graphs.x.shape[1],
            self.outputs,
            backbone=self.backbone,
            layers=self.layers,
            hidden=self.hidden,
            virtual_node=self.virtual_node,
            dropout=self.dropout,
            readout=self.readout,
        )


class Solution(msgspec.Struct, kw_only=True):
    """What a method returns.

    Attributes:
        model: the net after the last epoch, from a :class:`~bench.training.gnn.GraphBatch` to an
            :class:`~bench.training.gnn.Output`. The task judges it as it was after the epochs that
            validation chose.
        weights: mean weight that each training graph was given over its visits (N,), float32; NaN:
            never visited.
        squares: mean square of the same weights (N,).
    """

    model: Annotated[Any, Outputs("C", part="logits")]
    weights: Annotated[torch.Tensor | None, Array("N", dtype="float", nan=True)] = None
    squares: Annotated[torch.Tensor | None, Array("N", dtype="float", nan=True, ge=0)] = None


class Batch(msgspec.Struct, frozen=True):
    """One step's graphs.

    Attributes:
        epoch: from 0.
        rows: numbers of the training graphs (B,).
        graphs: what the net is shown.
        y: labels (B,), answers or targets (B, C), as in the problem.
        env: environments (B,), for methods that need them.
    """

    epoch: int
    rows: torch.Tensor
    graphs: GraphBatch
    y: torch.Tensor
    env: torch.Tensor | None = None


class Training:
    """A problem on its way: the net, the graphs on the device, their order.

    Attributes:
        problem: the problem.
        run: its run.
        device: where everything lives.
        net: the standard net.
        rows: numbers of the graphs that are trained on (n,); all of them unless the method keeps
            some for itself.
        n_graphs: N.
    """

    def __init__(self, problem: Problem, run: Run, rows: torch.Tensor | None = None) -> None:
        self.problem, self.run, self.device = problem, run, run.device
        self.n_graphs = len(problem.graphs)
        with run.seeded("init"):
            self.net = problem.net().to(run.device)
        self.rows = (
            torch.arange(self.n_graphs, device=run.device) if rows is None else rows.to(run.device)
        )
        self._graphs, self._y = problem.graphs.to(run.device), problem.y.to(run.device)
        self._env = None if problem.env is None else problem.env.to(run.device)
        self._order = run.torch_generator("order", device="cpu")

    @property
    def environments(self) -> int:
        """How many environments there are."""
        return 0 if self._env is None else int(self._env.max()) + 1

    def gather(self, rows: torch.Tensor, epoch: int = 0) -> Batch:
        """Return the training graphs of ``rows`` (B,) as one batch."""
        return Batch(
            epoch,
            rows,
            self._graphs.take(rows).batch(),
            self._y[rows],
            None if self._env is None else self._env[rows],
        )

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch: the graphs in a new order, gathered once and cut."""
        order = self.rows[torch.randperm(len(self.rows), generator=self._order).to(self.device)]
        size = self.problem.batch_size
        graphs, y = self._graphs.take(order), self._y[order]
        for k, part in enumerate(graphs.batches(size)):
            if k and part.size < SMALLEST:
                return
            cut = slice(k * size, k * size + part.size)
            yield Batch(
                epoch,
                order[cut],
                part,
                y[cut],
                None if self._env is None else self._env[order[cut]],
            )


class GraphMethod(Method, frozen=True, kw_only=True):
    """The shared loop of the track.

    As it stands it minimises the mean loss; methods replace its parts.

    Attributes:
        every_epoch: whether each epoch is reported; else only the last one is, and there is nothing
            to choose.
    """

    every_epoch: ClassVar[bool] = True

    def rows(self, problem: Problem, run: Run) -> torch.Tensor | None:
        """Return the numbers of the graphs to train on (n,), int64; None: all.

        A method that learns from a part of its own keeps it back here.
        """
        return None

    def start(self, training: Training) -> Any:
        """Return the method's state: whatever the other hooks need between steps."""
        return None

    def before_epoch(self, state: Any, epoch: int) -> None:
        """Do what the method does between epochs."""

    def loss(self, state: Any, batch: Batch, net: GNN) -> torch.Tensor:
        """Return the objective of a step, a scalar: run ``net`` on
        ``batch.graphs`` and combine the losses of the graphs.
        """
        return graph_losses(net(batch.graphs).logits, batch.y).mean()

    def finish(self, state: Any) -> dict[str, Any]:
        """Return the fields of the solution besides the model."""
        return {}

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Train for the problem's epochs."""
        training = Training(problem, run, self.rows(problem, run))
        state = self.start(training)
        net = training.net
        optimiser = torch.optim.Adam(net.parameters(), lr=problem.lr, fused=True)
        tick = run.progress(problem.epochs, "epochs")
        for epoch in range(problem.epochs):
            if problem.decay_at and epoch == problem.decay_at:
                optimiser.param_groups[0]["lr"] = problem.lr / 10
            self.before_epoch(state, epoch)
            for batch in training.epoch(epoch):
                train_step(self, net, optimiser, state, batch)
                run.count(forward=len(batch.rows), backward=len(batch.rows))
            if self.every_epoch or epoch + 1 == problem.epochs:
                run.report(epoch + 1, net)
            tick()
        return Solution(model=net, **self.finish(state))


def train_step(
    method: GraphMethod, net: GNN, optimiser: torch.optim.Optimizer, state: Any, batch: Batch
) -> None:
    """Take one step: the method's loss, backward, update."""
    loss = method.loss(state, batch, net)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()


class WeightLog:
    """Adds up what each training graph weighed at its visits; stays on the device."""

    def __init__(self, training: Training) -> None:
        self._sums = torch.zeros(3, training.n_graphs, device=training.device)

    def add(self, rows: torch.Tensor, weights: torch.Tensor) -> None:
        """Note the weights (B,) of the graphs ``rows``, mean 1 over the batch."""
        self._sums[:, rows] += torch.stack([weights, weights.square(), torch.ones_like(weights)])

    def fields(self) -> dict[str, torch.Tensor]:
        """Return the solution's ``weights`` and ``squares``, (N,) each."""
        return {"weights": self._sums[0] / self._sums[2], "squares": self._sums[1] / self._sums[2]}
