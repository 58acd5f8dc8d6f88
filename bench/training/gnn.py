"""Nets that read graphs: layers of message passing, torch-geometric's, with a readout and a head.

Shapes: G graphs, n nodes of a batch, f node features, d hidden units, C outputs.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import msgspec
import torch
from torch import nn

from bench.training.graphs import GraphBatch
from bench.training.operators import Operator
from bench.training.state import evaluating

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torch-geometric compiles with torch.jit at import
    from torch_geometric.nn import GCNConv, GINConv

__all__ = ["GNN", "Backbone", "Output", "Readout", "predict"]

Backbone = Literal["gin", "gcn"]
Readout = Literal["mean", "add"]


class Output(msgspec.Struct, frozen=True):
    """What a net says of a batch of G graphs with n nodes in all.

    Attributes:
        logits: (G, C).
        z: embeddings of the graphs (G, d).
        h: embeddings of the nodes (n, d).
    """

    logits: torch.Tensor
    z: torch.Tensor
    h: torch.Tensor


class _GIN(GINConv):  # type: ignore[misc]
    """h -> MLP(h + sum over neighbours), eps 0."""

    def __init__(self, inner: int, hidden: int) -> None:
        super().__init__(
            nn.Sequential(
                nn.Linear(inner, 2 * hidden),
                nn.BatchNorm1d(2 * hidden),
                nn.ReLU(inplace=True),
                nn.Linear(2 * hidden, hidden),
            )
        )

    def forward(self, x: torch.Tensor, batch: GraphBatch) -> torch.Tensor:
        return self.nn(self.propagate(batch.closed(), x))  # type: ignore[no-any-return]

    def propagate(self, operator: Operator, x: torch.Tensor) -> torch.Tensor:
        """Pass messages.

        A layer without a method of its own makes torch-geometric write and compile a module in the
        temporary folder, in every process.
        """
        return operator @ x


class _GCN(GCNConv):  # type: ignore[misc]
    """h -> D^-1/2 (A + I) D^-1/2 h W + b."""

    def forward(self, x: torch.Tensor, batch: GraphBatch) -> torch.Tensor:
        return self.propagate(batch.normalised(), self.lin(x)) + self.bias  # type: ignore[no-any-return]

    def propagate(self, operator: Operator, x: torch.Tensor) -> torch.Tensor:
        """Pass messages; see :class:`_GIN`."""
        return operator @ x


class GNN(nn.Module):
    """Layers of message passing, batch norm after each and ReLU after all but the last, a readout
    and a linear head.

    Args:
        features: f.
        outputs: C.
        backbone: ``gin`` (arXiv:1810.00826) or ``gcn`` (arXiv:1609.02907).
        layers: number of layers.
        hidden: d.
        virtual_node: add one embedding a graph to every node before each layer; it is updated from
            the sum over the nodes.
        dropout: share of hidden units dropped after each layer.
        readout: mean or sum over the nodes of a graph.
    """

    def __init__(
        self,
        features: int,
        outputs: int,
        *,
        backbone: Backbone = "gin",
        layers: int = 3,
        hidden: int = 32,
        virtual_node: bool = False,
        dropout: float = 0.0,
        readout: Readout = "mean",
    ) -> None:
        super().__init__()
        conv = {"gin": _GIN, "gcn": _GCN}[backbone]
        inner = [features, *[hidden] * (layers - 1)]
        self.convs = nn.ModuleList(conv(width, hidden) for width in inner)
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden) for _ in inner)
        self.virtual = nn.Parameter(torch.zeros(1, features)) if virtual_node else None
        self.updates = (
            nn.ModuleList(_update(width, hidden) for width in inner[:-1]) if virtual_node else None
        )
        self.head = nn.Linear(hidden, outputs)
        self.dropout, self.readout = dropout, readout

    def forward(self, batch: GraphBatch) -> Output:
        """Return logits and embeddings of a batch."""
        h, pool = batch.x, batch.pool()
        virtual = self.virtual.expand(batch.size, -1) if self.virtual is not None else None
        for position, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            if virtual is not None:
                h = h + pool.T @ virtual
            h, before = norm(conv(h, batch)), h
            last = position == len(self.convs) - 1
            h = nn.functional.dropout(h if last else h.relu_(), self.dropout, self.training)
            if virtual is not None and self.updates is not None and not last:
                virtual = self.updates[position](pool @ before + virtual)
        z = pool @ h
        if self.readout == "mean":
            z = z / batch.counts[:, None]
        return Output(self.head(z), z, h)


def predict(net: nn.Module, batches: Sequence[GraphBatch]) -> torch.Tensor:
    """Return the logits of several batches, one under the other, (graphs, C).

    The net is fed copies that are wiped afterwards: one that keeps what it was shown holds nothing.
    """
    found = []
    for batch in batches:
        copy = batch.copy()
        found.append(net(copy).logits.clone())
        copy.wipe()
    return torch.cat(found)


def _update(inner: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inner, 2 * hidden),
        nn.BatchNorm1d(2 * hidden),
        nn.ReLU(),
        nn.Linear(2 * hidden, hidden),
        nn.ReLU(),
    )


def embed(net: GNN, graphs: GraphBatch) -> Output:
    """Return what a net makes of a batch in eval mode, without gradient."""
    with evaluating(net):
        output: Output = net(graphs)
    return output
