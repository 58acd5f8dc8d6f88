"""Graphs as packed tensors, batches cut from them, and the sparse products that pass messages.

Shapes: G graphs, n nodes of a batch, f node features.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec
import numpy as np
import torch
from torch import nn

from bench.declared import Array
from bench.errors import InvalidRun
from bench.training.operators import Operator, _csr

with warnings.catch_warnings():
    # torch-geometric compiles with torch.jit at import, torch says that its CSR tensors are young
    warnings.simplefilter("ignore")
    from torch_geometric.data import Data
    from torch_geometric.utils import to_dense_batch

    torch.sparse_csr_tensor([0, 1], [0], [1.0])

__all__ = ["GraphBatch", "Graphs", "to_dense_batch"]


class Graphs(msgspec.Struct, frozen=True):
    """Undirected graphs, one after the other in one tensor each; whole on one device.

    Attributes:
        x: node features (nodes, f), float32.
        edges: the two ends of each edge (2, E), int64, counted within its graph; both directions
            are stored, none twice, sorted by the second end.
        nodes: nodes of each graph (G,), int64.
        degrees: edges that end in each node (nodes,), int64.
    """

    x: Annotated[torch.Tensor, Array("n", "f", dtype="float32")]
    edges: Annotated[torch.Tensor, Array(2, "E", dtype="int64", ge=0, empty=True)]
    nodes: Annotated[torch.Tensor, Array("G", dtype="int64", ge=1)]
    degrees: Annotated[torch.Tensor, Array("n", dtype="int64", ge=0)]

    def validate(self) -> None:
        """Hold the fields against each other.

        Raises:
            InvalidRun: the nodes are not those of the graphs, or an edge leaves its graph.
        """
        nodes, edges = torch.stack([self.nodes.sum(), self.degrees.sum()]).tolist()
        if nodes != len(self.x) or edges != self.edges.shape[1]:
            raise InvalidRun(
                f"nodes and degrees count {nodes} nodes and {edges} edges; x has {len(self.x)} "
                f"rows and edges {self.edges.shape[1]}"
            )
        if bool((self.edges >= torch.repeat_interleave(self.nodes, self.sizes)).any()):
            raise InvalidRun(
                "edges holds an end that is no node of its graph; ends count from 0 within each "
                "graph"
            )

    @classmethod
    def pack(
        cls, graphs: Iterable[tuple[np.ndarray, np.ndarray]], device: torch.device | str = "cpu"
    ) -> Graphs:
        """Pack pairs of node features (n, f) and edges (2, e), given once or in both directions,
        duplicates allowed.

        Raises:
            ValueError: a graph has no node, a loop or an edge to a node that it does not have.
        """
        features, ends, sizes = [], [], []
        for position, (x, given) in enumerate(graphs):
            n = len(x)
            edges = np.asarray(given, dtype=np.int64).reshape(2, -1)
            if n == 0 or (edges.size and not 0 <= edges.min() <= edges.max() < n):
                raise ValueError(
                    f"graph {position} has {n} nodes and edges between {edges.min(initial=0)} and "
                    f"{edges.max(initial=0)}; nodes count from 0."
                )
            if (edges[0] == edges[1]).any():
                raise ValueError(
                    f"graph {position} has an edge from a node to itself; leave loops out."
                )
            codes = np.unique(np.concatenate([edges[0] + n * edges[1], edges[1] + n * edges[0]]))
            features.append(np.asarray(x, dtype=np.float32))
            ends.append(np.stack([codes % n, codes // n]))
            sizes.append(n)
        nodes = np.array(sizes, dtype=np.int64)
        edges = np.concatenate(ends, 1)
        shift = np.repeat(np.cumsum(nodes) - nodes, [part.shape[1] for part in ends])
        degrees = np.bincount(edges[1] + shift, minlength=int(nodes.sum()))
        parts = (np.concatenate(features), edges, nodes, degrees)
        return cls(*(torch.from_numpy(part).to(device) for part in parts))

    def __len__(self) -> int:
        return len(self.nodes)

    def to(self, device: torch.device) -> Graphs:
        """Return the graphs on a device."""
        return Graphs(*(getattr(self, name).to(device) for name in self.__struct_fields__))

    @property
    def sizes(self) -> torch.Tensor:
        """Return the stored directions of edges of each graph (G,)."""
        return _segments(self.degrees, self.nodes)

    def take(self, rows: torch.Tensor) -> Graphs:
        """Return the graphs of ``rows`` (m,), in their order."""
        node = _ragged(self.nodes, rows)
        edge = _ragged(self.sizes, rows)
        return Graphs(self.x[node], self.edges[:, edge], self.nodes[rows], self.degrees[node])

    def batches(self, size: int) -> Iterator[GraphBatch]:
        """Cut the graphs into batches of ``size`` neighbours, without copying features; the last
        may be smaller.

        The host waits for the device once, not once a batch.
        """
        ends = [*range(0, len(self), size), len(self)]
        mark = torch.tensor(ends, device=self.nodes.device)
        first_node, first_edge = _starts(self.nodes), _starts(self.sizes)
        node_at, edge_at = torch.stack([first_node[mark], first_edge[mark]]).tolist()
        row_starts = _starts(self.degrees)
        for k, (start, end) in enumerate(itertools.pairwise(ends)):
            n0, n1, e0, e1 = node_at[k], node_at[k + 1], edge_at[k], edge_at[k + 1]
            nodes = self.nodes[start:end]
            graph = torch.repeat_interleave(nodes, output_size=n1 - n0)
            pointer = first_node[start : end + 1] - n0
            edges = self.edges[:, e0:e1] + torch.repeat_interleave(
                pointer[:-1], self.sizes[start:end], output_size=e1 - e0
            )
            yield GraphBatch(self.x[n0:n1], edges, row_starts[n0 : n1 + 1] - e0, graph, pointer)

    def batch(self) -> GraphBatch:
        """Return all graphs as one batch."""
        return next(self.batches(len(self)))

    def data(self) -> list[Data]:
        """Return the graphs as torch-geometric's records."""
        edges = self.edges.split(self.sizes.tolist(), 1)
        return [
            Data(x=x, edge_index=part)
            for x, part in zip(self.x.split(self.nodes.tolist()), edges, strict=True)
        ]


class GraphBatch:
    """Graphs of one step as one graph of many parts: what a net is shown.

    Attributes:
        x: node features (n, f).
        edge_index: ends of the edges (2, E), counted within the batch, sorted by the second.
        graph: number of each node's graph (n,).
        size: G.
    """

    def __init__(
        self,
        x: torch.Tensor,
        edge_index: torch.Tensor,
        row_starts: torch.Tensor,
        graph: torch.Tensor,
        pointer: torch.Tensor,
    ) -> None:
        self.x, self.edge_index, self.graph, self.size = x, edge_index, graph, len(pointer) - 1
        self._row_starts, self._pointer = row_starts, pointer
        self._operators: dict[str, Operator] = {}

    def __len__(self) -> int:
        return self.size

    def copy(self) -> GraphBatch:
        """Return the same graphs in memory of their own."""
        return GraphBatch(*(part.clone() for part in self._parts()))

    def wipe(self) -> None:
        """Set everything to zero, and forget what was made of it."""
        for part in self._parts():
            part.zero_()
        for operator in self._operators.values():
            operator.wipe()
        self._operators.clear()

    def _parts(self) -> tuple[torch.Tensor, ...]:
        return self.x, self.edge_index, self._row_starts, self.graph, self._pointer

    def neighbours(self) -> Operator:
        """Return the sum over the neighbours of each node, (n, k) to (n, k)."""
        if "neighbours" not in self._operators:
            ones = torch.ones(self.edge_index.shape[1], dtype=self.x.dtype, device=self.x.device)
            matrix = _csr(self._row_starts, self.edge_index[0], ones, (len(self.x), len(self.x)))
            self._operators["neighbours"] = Operator(matrix, matrix)
        return self._operators["neighbours"]

    def closed(self) -> Operator:
        """Return the sum over each node and its neighbours, (n, k) to (n, k)."""
        matrix = self.neighbours().matrix
        return Operator(matrix, matrix, loops=True)

    def normalised(self) -> Operator:
        """Return D^-1/2 (A + I) D^-1/2 with the degrees of A + I, (n, k) to (n, k)."""
        if "normalised" not in self._operators:
            n, own = len(self.x), torch.arange(len(self.x), device=self.x.device)
            edges = torch.cat([self.edge_index, own.expand(2, -1)], 1)
            edges = edges[:, (edges[1] * n + edges[0]).argsort()]
            scale = (self._row_starts.diff() + 1).to(self.x.dtype).rsqrt()
            starts = self._row_starts + torch.arange(n + 1, device=self.x.device)
            matrix = _csr(starts, edges[0], scale[edges[0]] * scale[edges[1]], (n, n))
            self._operators["normalised"] = Operator(matrix, matrix)
        return self._operators["normalised"]

    def pool(self) -> Operator:
        """Return the sum over the nodes of each graph, (n, k) to (G, k)."""
        if "pool" not in self._operators:
            n, own = len(self.x), torch.arange(len(self.x) + 1, device=self.x.device)
            ones = torch.ones(n, dtype=self.x.dtype, device=self.x.device)
            down = _csr(self._pointer, own[:-1], ones, (self.size, n))
            self._operators["pool"] = Operator(down, _csr(own, self.graph, ones, (n, self.size)))
        return self._operators["pool"]

    @property
    def counts(self) -> torch.Tensor:
        """Return the nodes of each graph (G,), in the type of the features."""
        return self._pointer.diff().to(self.x.dtype)


def _starts(counts: torch.Tensor) -> torch.Tensor:
    """Return where each part of a packed tensor begins, and where the last ends, (parts + 1,)."""
    return nn.functional.pad(counts.cumsum(0), (1, 0))


def _segments(values: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    total = _starts(values)
    return total[_starts(counts)].diff()


def _ragged(counts: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return the positions of the parts ``rows`` of a packed tensor whose parts hold ``counts``."""
    taken = counts[rows]
    before = _starts(taken)
    shift = _starts(counts)[rows] - before[:-1]
    return torch.repeat_interleave(shift, taken) + torch.arange(
        int(before[-1]), device=counts.device
    )
