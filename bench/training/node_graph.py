"""One graph whose nodes have features, and the sparse products that pass messages along its edges.

Shapes: n nodes, E stored directions of edges, f features, K graphs beside each other.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch

from bench.training.operators import Operator, _csr

with warnings.catch_warnings():
    # torch says once that its CSR tensors are young
    warnings.simplefilter("ignore")
    torch.sparse_csr_tensor([0, 1], [0], [1.0])

__all__ = ["NodeGraph"]


class NodeGraph:
    """A graph with features on its nodes: what a model of nodes is shown.

    Its length is its number of nodes. Operators are made when they are asked for, and kept.

    Attributes:
        x: node features (n, f), float32.
        edges: ends of the edges (2, E), int64, both directions, sorted by the second end.
    """

    def __init__(self, x: torch.Tensor, edges: torch.Tensor) -> None:
        self.x = x
        order = (edges[1] * len(x) + edges[0]).argsort()
        self.edges = edges[:, order]
        self._operators: dict[str, Operator] = {}

    @classmethod
    def beside(cls, graphs: Sequence[NodeGraph]) -> NodeGraph:
        """Return K graphs as one graph of K parts, in their order."""
        nodes = torch.tensor([0, *(len(graph) for graph in graphs)]).cumsum(0).tolist()
        edges = [graph.edges + start for graph, start in zip(graphs, nodes[:-1], strict=True)]
        return cls(torch.cat([graph.x for graph in graphs]), torch.cat(edges, 1))

    def __len__(self) -> int:
        return len(self.x)

    def copy(self) -> NodeGraph:
        """Return the same graph in memory of its own."""
        return NodeGraph(self.x.clone(), self.edges.clone())

    def wipe(self) -> None:
        """Set everything to zero, and forget what was made of it."""
        self.x.zero_()
        self.edges.zero_()
        for operator in self._operators.values():
            operator.wipe()
        self._operators.clear()

    @property
    def degrees(self) -> torch.Tensor:
        """Neighbours of each node (n,), int64."""
        return self.edges[1].bincount(minlength=len(self))

    def mean(self) -> Operator:
        """Return the mean over the neighbours of each node, D^-1 A; 0 where a node has none."""
        if "mean" not in self._operators:
            share = 1 / self.degrees.clamp_min(1).to(self.x.dtype)
            self._operators["mean"] = Operator(
                self._matrix(self.edges, share[self.edges[1]]),
                self._matrix(self.edges, share[self.edges[0]]),
            )
        return self._operators["mean"]

    def symmetric(self, loops: bool = False) -> Operator:
        """Return D^-1/2 A D^-1/2, (n, k) to (n, k), a node without neighbours getting 0.

        Args:
            loops: take A + I for A, and its degrees for D.
        """
        name = f"symmetric {loops}"
        if name not in self._operators:
            edges = self.edges
            if loops:
                own = torch.arange(len(self), device=self.x.device)
                edges = torch.cat([edges, own.expand(2, -1)], 1)
                edges = edges[:, (edges[1] * len(self) + edges[0]).argsort()]
            scale = (self.degrees + loops).clamp_min(1).to(self.x.dtype).rsqrt()
            matrix = self._matrix(edges, scale[edges[0]] * scale[edges[1]])
            self._operators[name] = Operator(matrix, matrix)
        return self._operators[name]

    def second_ends(self) -> Operator:
        """Return the sum over the edges that end in each node, (E, k) to (n, k); its transpose
        gives each edge what its second end has.
        """
        if "second" not in self._operators:
            count = self.edges.shape[1]
            every = torch.arange(count + 1, device=self.x.device)
            ones = self.x.new_ones(count)
            self._operators["second"] = Operator(
                _csr(self._starts(self.edges[1]), every[:-1], ones, (len(self), count)),
                _csr(every, self.edges[1], ones, (count, len(self))),
            )
        return self._operators["second"]

    def first_ends(self) -> Operator:
        """Return the sum over the edges that begin in each node, (E, k) to (n, k); its transpose
        gives each edge what its first end has.
        """
        if "first" not in self._operators:
            count = self.edges.shape[1]
            every = torch.arange(count + 1, device=self.x.device)
            ones = self.x.new_ones(count)
            by_first = self.edges[0].argsort(stable=True)
            self._operators["first"] = Operator(
                _csr(self._starts(self.edges[0]), by_first, ones, (len(self), count)),
                _csr(every, self.edges[0], ones, (count, len(self))),
            )
        return self._operators["first"]

    def _starts(self, ends: torch.Tensor) -> torch.Tensor:
        counts = ends.bincount(minlength=len(self))
        return torch.nn.functional.pad(counts.cumsum(0), (1, 0))

    def _matrix(self, edges: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        return _csr(self._starts(edges[1]), edges[0], values, (len(self), len(self)))
