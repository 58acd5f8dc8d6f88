"""What a method of the track ``node-graphs`` gets and returns, and the graphs of K seeds.

Shapes: K members (seeds), n nodes, f features, E stored directions of edges, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
import torch
from msgspec import Meta

from bench.declared import Array, Outputs, Size
from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.training.node_graph import NodeGraph

__all__ = ["Members", "Model", "Problem", "Solution"]

Model = Callable[[NodeGraph], torch.Tensor]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees: one graph, the labels of some of its nodes, and the protocol.

    Attributes:
        x: node features (n, f), float32.
        edges: ends of the edges (2, E), int64; both directions are there, no loops, none twice.
        y: labels (n,), int64; -1 where the label is hidden.
        train: which nodes have a label to learn from (n,), bool.
        n_classes: C.
        steps: updates, each of all nodes.
        lr: of Adam.
        weight_decay: of Adam, added to the gradient.
        hidden: hidden units.
        layers: layers that pass messages.
        dropout: share of hidden units dropped in training.
        sensitive: a second label, whose relation to the predictions is to be small (n,), int64,
            0 or 1; -1 where it is unknown; only for methods that need ``sensitive``.
    """

    x: Annotated[torch.Tensor, Array("n", "f", dtype="float32")]
    edges: Annotated[torch.Tensor, Array(2, "E", dtype="int64", ge=0, lt="n", empty=True)]
    y: Annotated[torch.Tensor, Array("n", dtype="int64", ge=-1, lt="C")]
    train: Annotated[torch.Tensor, Array("n", dtype="bool")]
    n_classes: Annotated[int, Size("C", 2)]
    steps: Annotated[int, Meta(ge=1)] = 200
    lr: Annotated[float, Meta(gt=0)] = 1e-2
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0
    hidden: Annotated[int, Meta(ge=1)] = 64
    layers: Annotated[int, Meta(ge=1)] = 2
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.2
    sensitive: Annotated[torch.Tensor | None, Array("n", dtype="int64", ge=-1, le=1)] = None

    def validate(self) -> None:
        """Hold the fields against each other.

        Raises:
            InvalidRun: no node has a label, labels and ``train`` disagree, or the edges are not
                those of an undirected graph without loops.
        """
        if not bool(self.train.any()):
            raise InvalidRun(
                "train marks no node, and there is nothing to learn from; mark at least one"
            )
        if bool((self.train != (self.y >= 0)).any()):
            raise InvalidRun(
                "y must hold a label exactly where train is true, and -1 elsewhere; set the others "
                "to -1"
            )
        first, second = self.edges
        if bool((first == second).any()):
            raise InvalidRun("edges joins a node to itself; leave loops out")
        codes, n = (first * len(self.x) + second).sort().values, len(self.x)
        if bool((codes[1:] == codes[:-1]).any()):
            raise InvalidRun("edges holds an edge twice; store each direction once")
        if not torch.equal(codes, (second * n + first).sort().values):
            raise InvalidRun("edges lacks the other direction of an edge; store both directions")

    def graph(self) -> NodeGraph:
        """Return the graph, as models are shown it."""
        return NodeGraph(self.x, self.edges)


class Solution(msgspec.Struct, kw_only=True):
    """What a method returns.

    Attributes:
        model: from a :class:`~bench.training.node_graph.NodeGraph` to logits (n, C). The task
            judges the reported model that validation nodes chose.
        sensitive: estimated probability that the second label is 1 (n,), in [0, 1], of methods
            that estimate it.
    """

    model: Annotated[Model, Outputs("C")]
    sensitive: Annotated[torch.Tensor | None, Array("n", dtype="float32", ge=0, le=1)] = None


class Members:
    """The K problems of a pass: their graphs beside each other, their labels, their streams.

    Attributes:
        problem: the first problem; the protocol is the same for all.
        problems: all of them.
        runs: the K runs.
        members: K.
        nodes: n, of each graph.
        graph: the graphs as one of K parts.
        x: features (K, n, f).
        y: labels (K, n), -1 where hidden.
        train: which labels are there (K, n), 0 or 1.
    """

    def __init__(self, problems: Sequence[Problem], runs: Sequence[Run]) -> None:
        self.problem, self.problems, self.runs = problems[0], list(problems), list(runs)
        self.members, self.nodes, self.device = len(problems), len(problems[0].x), runs[0].device
        graphs = [NodeGraph(one.x.to(self.device), one.edges.to(self.device)) for one in problems]
        self.graph = NodeGraph.beside(graphs)
        self.x = self.graph.x.view(self.members, self.nodes, -1)
        self.y = torch.stack([one.y for one in problems]).to(self.device)
        self.train = (self.y >= 0).to(self.x.dtype)

    def known(self) -> torch.Tensor:
        """Return the second label (K, n), -1 where unknown; for methods that need it."""
        told = [one.sensitive for one in self.problems]
        assert all(one is not None for one in told), "the card of the method must need sensitive"
        return torch.stack([one for one in told if one is not None]).to(self.device)

    def count(self, forward: int = 0, backward: int = 0) -> None:
        """Count visits of nodes for every member."""
        for run in self.runs:
            run.count(forward=forward, backward=backward)
