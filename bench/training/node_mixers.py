"""What the layers of a net of nodes do with neighbours: nothing, a sum, a mean beside the node's
own units, or attention.

Shapes: K members, n nodes, E stored directions of edges, h units, H heads.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from bench.errors import InvalidRun
from bench.training.node_graph import NodeGraph
from bench.training.node_nets import Affine, along

__all__ = ["Attention", "EgoAndMean", "Own", "Symmetric"]


class Own(nn.Module):
    """A node's own units, no neighbours."""

    def forward(self, x: torch.Tensor, graph: NodeGraph) -> torch.Tensor:
        """Return ``x`` (K, n, h)."""
        return x


class Symmetric(nn.Module):
    """Sum over neighbours j of x_j / sqrt(d_i d_j), without the node itself."""

    def forward(self, x: torch.Tensor, graph: NodeGraph) -> torch.Tensor:
        """Map units (K, n, h) to (K, n, h)."""
        return along(graph.symmetric(), x)


class EgoAndMean(nn.Module):
    """A node's own units beside the mean over its neighbours (GraphSAGE, arXiv:1706.02216)."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.out = 2 * hidden

    def forward(self, x: torch.Tensor, graph: NodeGraph) -> torch.Tensor:
        """Map units (K, n, h) to (K, n, 2 h)."""
        return torch.cat([x, along(graph.mean(), x)], -1)


class Attention(nn.Module):
    """A mean over neighbours with weights softmax_j LeakyReLU(u_i + v_j), one for each head
    (arXiv:1710.10903, eqs. 1-4).

    Args:
        members: K.
        hidden: h.
        heads: H, a divisor of h.
        separate: put the node's own units beside the mean.

    Raises:
        InvalidRun: the heads do not divide the units.
    """

    def __init__(self, members: int, hidden: int, heads: int, separate: bool) -> None:
        super().__init__()
        if hidden % heads:
            raise InvalidRun(
                f"heads is {heads}, which does not divide the {hidden} hidden units; take a "
                "divisor of them"
            )
        self.heads, self.separate, self.out = heads, separate, hidden * (1 + separate)
        self.values = Affine(members, hidden, hidden)
        self.receiver = Affine(members, hidden, heads)
        self.sender = Affine(members, hidden, heads)

    def forward(self, x: torch.Tensor, graph: NodeGraph) -> torch.Tensor:
        """Map units (K, n, h) to (K, n, h), or (K, n, 2 h)."""
        x = self.values(x)
        weights = self.weights(x, graph)
        values = (graph.first_ends().T @ x.flatten(0, 1)).view(len(weights), self.heads, -1)
        found = (graph.second_ends() @ (weights[..., None] * values).flatten(1)).view(x.shape)
        return torch.cat([x, found], -1) if self.separate else found

    def weights(self, x: torch.Tensor, graph: NodeGraph) -> torch.Tensor:
        """Return the weights of the edges (E, H), which sum to 1 over the edges into a node."""
        second, first = graph.second_ends(), graph.first_ends()
        scores = F.leaky_relu(
            second.T @ self.receiver(x).flatten(0, 1) + first.T @ self.sender(x).flatten(0, 1), 0.2
        )
        with torch.no_grad():  # the softmax does not change with it, and no exponential overflows
            most = scores.new_zeros(len(graph), self.heads).scatter_reduce(
                0, graph.edges[1][:, None].expand_as(scores), scores, "amax", include_self=False
            )
            most = most[graph.edges[1]]
        raised = (scores - most).exp()
        return raised / (second.T @ (second @ raised))
