"""Graphs whose edges have weights, and the parts of graphs that a net finds important: what DIR,
GSAT and CIGA share.

Shapes: B graphs, n nodes, E stored directions of edges, d hidden units.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from bench.tracks.graph_ood import Training
from bench.training.gnn import GNN, Output
from bench.training.graphs import GraphBatch
from bench.training.operators import Operator


class WeightedBatch(GraphBatch):
    """Graphs of which each edge passes its message times its weight.

    In a GCN the weight multiplies the normalised message, and the degrees are those of the edges
    that are there.

    Args:
        x: node features (n, f).
        edge_index: ends of the edges (2, E), both directions, sorted by the second.
        graph: number of each node's graph (n,), rising.
        size: B.
        weights: of the edges (E,), the same in both directions.
    """

    def __init__(
        self,
        x: torch.Tensor,
        edge_index: torch.Tensor,
        graph: torch.Tensor,
        size: int,
        weights: torch.Tensor,
    ) -> None:
        self.degrees = edge_index[1].bincount(minlength=len(x))
        super().__init__(
            x, edge_index, _starts(self.degrees), graph, _starts(graph.bincount(minlength=size))
        )
        self.weights = weights

    def closed(self) -> Operator:
        """Return the weighted sum over the neighbours of each node, and the node itself."""
        return _Messages(self.neighbours().matrix, self.edge_index, self.weights, 1.0)

    def normalised(self) -> Operator:
        """Return D^-1/2 (A + I) D^-1/2 with each edge times its weight."""
        scale = (self.degrees + 1).to(self.x.dtype).rsqrt()
        first, second = self.edge_index
        weights = self.weights * scale[first] * scale[second]
        own = scale.square()[:, None]
        return _Messages(self.neighbours().matrix, self.edge_index, weights, own)


class _Messages(Operator):
    """W x + own x, differentiable in the weights too."""

    def __init__(
        self,
        pattern: torch.Tensor,
        ends: torch.Tensor,
        weights: torch.Tensor,
        own: torch.Tensor | float,
    ) -> None:
        super().__init__(pattern, pattern)
        self.ends, self.weights, self.own = ends, weights, own

    def __matmul__(self, x: torch.Tensor) -> torch.Tensor:
        total: torch.Tensor = _WeightedSum.apply(x, self.weights, self)  # type: ignore[no-untyped-call]
        return total + self.own * x

    def weighted(self, weights: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return W x, without a derivative."""
        pattern = self.matrix
        return (
            torch.sparse_csr_tensor(
                pattern.crow_indices(),
                pattern.col_indices(),
                weights,
                pattern.shape,
                check_invariants=False,
            )
            @ x
        )


class _WeightedSum(torch.autograd.Function):
    """W x for W that is its own transpose; the slope of a weight is the product of the gradient at
    one end with x at the other.
    """

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weights: torch.Tensor, messages: _Messages
    ) -> torch.Tensor:
        ctx.messages = messages
        ctx.save_for_backward(x, weights)
        return messages.weighted(weights, x)

    @staticmethod
    def backward(
        ctx: Any, gradient: torch.Tensor
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, None]:
        x, weights = ctx.saved_tensors
        first, second = ctx.messages.ends
        for_x, for_weights = ctx.needs_input_grad[:2]
        return (
            ctx.messages.weighted(weights, gradient) if for_x else None,
            (gradient[second] * x[first]).sum(1) if for_weights else None,
            None,
        )


def weighted(batch: GraphBatch, weights: torch.Tensor) -> WeightedBatch:
    """Return the batch with ``weights`` (E,) on its edges, the same in both directions."""
    return WeightedBatch(batch.x, batch.edge_index, batch.graph, batch.size, weights)


def part(batch: GraphBatch, weights: torch.Tensor, kept: torch.Tensor) -> WeightedBatch:
    """Return the edges ``kept`` (E,), bool, and the nodes that they join, with their ``weights``
    (E,); both the same in both directions. A graph that keeps no edge keeps its nodes.
    """
    edges = batch.edge_index[:, kept]
    joined = torch.zeros(len(batch.x), dtype=torch.bool, device=kept.device)
    joined[edges[1]] = True
    empty = batch.graph[joined].bincount(minlength=batch.size) == 0
    nodes = joined | empty[batch.graph]
    number = nodes.cumsum(0) - 1
    return WeightedBatch(
        batch.x[nodes], number[edges], batch.graph[nodes], batch.size, weights[kept]
    )


def reverse(batch: GraphBatch) -> torch.Tensor:
    """Return where the other direction of each edge stands (E,)."""
    first, second = batch.edge_index
    here, there = (
        (first + second * len(batch.x)).argsort(),
        (second + first * len(batch.x)).argsort(),
    )
    return torch.empty_like(here).index_copy_(0, here, there)


def strongest(
    score: torch.Tensor, batch: GraphBatch, back: torch.Tensor, ratio: float
) -> torch.Tensor:
    """Return which edges are among the share ``ratio`` of their graph with the highest ``score``
    (E,), bool: of m edges the first ceil(ratio m). The score is the same in both directions, and
    so is the answer; ``back`` (E,) names the other direction.
    """
    first, second = batch.edge_index
    once = (first < second).nonzero().squeeze(1)
    graph = batch.graph[first[once]]
    order = score[once].argsort(descending=True, stable=True)
    order = order[graph[order].argsort(stable=True)]
    counts = graph.bincount(minlength=batch.size)
    rank = torch.arange(len(once), device=score.device) - _starts(counts)[graph[order]]
    limit = (ratio * counts - 1e-6).ceil()  # .7 of 10 is 7, whatever the rounding says
    kept = torch.zeros_like(score, dtype=torch.bool)
    kept[once[order]] = rank < limit[graph[order]]
    return kept | kept[back]


class EdgeScores(nn.Module):
    """A score for each edge: a net of one hidden layer on the embeddings of its ends, the mean over
    both orders of them.

    Args:
        hidden: d.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * hidden, 2 * hidden), nn.ReLU(), nn.Linear(2 * hidden, 1)
        )

    def forward(self, h: torch.Tensor, batch: GraphBatch, back: torch.Tensor) -> torch.Tensor:
        """Return the scores (E,) from the embeddings of the nodes (n, d); ``back`` (E,) names the
        other direction of each edge.
        """
        first, second = batch.edge_index
        score: torch.Tensor = self.layers(torch.cat([h[first], h[second]], 1)).squeeze(1)
        return (score + score[back]) / 2


class Rationale(nn.Module):
    """Predicts from the share ``ratio`` of a graph's edges that a net of its own finds important.

    Attributes:
        finder: the net whose embeddings of nodes the scores of edges are made of.
        scores: makes them.
        net: the net that predicts, from the edges found, their weights sigmoid(score).
        rest: head for what the other edges say of the label.
    """

    def __init__(self, training: Training, ratio: float) -> None:
        super().__init__()
        problem, self.ratio = training.problem, ratio
        self.net = training.net
        with training.run.seeded("init", "rationale"):
            self.finder, self.scores = problem.net(), EdgeScores(problem.hidden)
            self.rest = nn.Linear(problem.hidden, problem.outputs)
        self.to(training.device)

    def split(self, batch: GraphBatch) -> tuple[WeightedBatch, WeightedBatch]:
        """Return the rationale of each graph, and the rest of it, whose weights are
        sigmoid(-score).
        """
        back = reverse(batch)
        score = self.scores(self.finder(batch).h, batch, back)
        kept = strongest(score.detach(), batch, back, self.ratio)
        return part(batch, score.sigmoid(), kept), part(batch, (-score).sigmoid(), ~kept)

    def forward(self, batch: GraphBatch) -> Output:
        """Return what the net says of the rationales."""
        output: Output = self.net(self.split(batch)[0])
        return output


@contextmanager
def untracked(net: GNN) -> Iterator[None]:
    """Leave the running statistics of batch norm as they are: the net sees graphs that it will
    not predict from.
    """
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm1d)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum


def _starts(counts: torch.Tensor) -> torch.Tensor:
    return nn.functional.pad(counts.cumsum(0), (1, 0))
