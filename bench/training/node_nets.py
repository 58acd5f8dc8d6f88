"""Nets that read a graph and say something of each of its nodes, K of them as one module.

Shapes: K members, n nodes, h hidden units, f features, C outputs. All features have the member
axis first, and the graph holds the K graphs one after the other.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch
from torch import nn
from torch.nn import functional as F

from bench.training.node_graph import NodeGraph
from bench.training.operators import Operator
from bench.training.stack import affine

__all__ = [
    "Affine",
    "Drop",
    "MemberModel",
    "NodeNet",
    "Normal",
    "PlainNet",
    "ResidualNet",
    "along",
]


def along(operator: Operator, x: torch.Tensor) -> torch.Tensor:
    """Return the product of an operator on all nodes with features (K, n, k)."""
    return (operator @ x.flatten(0, 1)).view(x.shape)


class Affine(nn.Module):
    """x W^T + b for each member, drawn like ``torch.nn.Linear`` from the global stream.

    ``weight`` is (K, out, in) and ``bias`` (K, 1, out); both are filled by :meth:`NodeNet.draw`.
    """

    def __init__(self, members: int, inner: int, out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(members, out, inner))
        self.bias = nn.Parameter(torch.zeros(members, 1, out))

    def draw(self, k: int) -> None:
        """Draw the numbers of member ``k``: uniform within 1/sqrt(in)."""
        bound = 1 / math.sqrt(self.weight.shape[2])
        with torch.no_grad():
            self.weight[k].uniform_(-bound, bound)
            self.bias[k].uniform_(-bound, bound)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (K, n, in) to (K, n, out)."""
        return affine(x, self.weight, self.bias)


class Normal(nn.Module):
    """Layer norm over the units of a node, with a scale and a shift of each member's own."""

    def __init__(self, members: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(members, 1, width))
        self.bias = nn.Parameter(torch.zeros(members, 1, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (K, n, h) to (K, n, h)."""
        return F.layer_norm(x, x.shape[-1:]) * self.weight + self.bias


class Drop(nn.Module):
    """Dropout whose masks each member draws from its own generator.

    Attributes:
        generators: one a member; none: nothing is dropped.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share, self.generators = share, list[torch.Generator]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (K, n, h) to (K, n, h)."""
        if not (self.training and self.share and self.generators):
            return x
        kept = torch.empty_like(x, requires_grad=False)
        for mine, generator in zip(kept, self.generators, strict=True):
            mine.bernoulli_(1 - self.share, generator=generator)
        return x * kept / (1 - self.share)

    def __deepcopy__(self, memo: object) -> Drop:
        return Drop(self.share)  # generators cannot be copied, and a copy is only looked at


class NodeNet(nn.Module):
    """K nets of one form; what a track's loop trains."""

    def features(self, x: torch.Tensor, graph: NodeGraph) -> torch.Tensor:
        """Map features (K, n, f) to what the last layer reads."""
        raise NotImplementedError

    def head(self, features: torch.Tensor, graph: NodeGraph) -> torch.Tensor:
        """Map what the last layer reads to outputs (K, n, C)."""
        raise NotImplementedError

    def forward(self, x: torch.Tensor, graph: NodeGraph) -> torch.Tensor:
        """Map features (K, n, f) of the nodes of ``graph`` to outputs (K, n, C)."""
        return self.head(self.features(x, graph), graph)

    def draw(self, inits: Sequence[AbstractContextManager[None]]) -> None:
        """Draw each member's numbers inside its context, layer by layer."""
        for k, init in enumerate(inits):
            with init:
                for module in self.modules():
                    if isinstance(module, Affine):
                        module.draw(k)

    def drop_from(self, generators: Sequence[torch.Generator]) -> None:
        """Let members draw what is dropped from generators of their own."""
        for module in self.modules():
            if isinstance(module, Drop):
                module.generators = list(generators)

    def member(self, k: int) -> MemberModel:
        """Return a copy of member ``k`` as it is now."""
        net = copy.deepcopy(self)
        for module in net.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                setattr(module, name, nn.Parameter(parameter.detach()[k : k + 1].clone()))
        return MemberModel(net)


class MemberModel(nn.Module):
    """One member: from a graph to logits (n, C)."""

    def __init__(self, net: NodeNet) -> None:
        super().__init__()
        self.net = net
        self.eval()

    def forward(self, graph: NodeGraph) -> torch.Tensor:
        """Return the logits of the nodes of one graph (n, C)."""
        found: torch.Tensor = self.net(graph.x[None], graph)[0]
        return found


class ResidualNet(NodeNet):
    """The net of arXiv:2302.11640: linear, dropout, GELU; layers x + module(norm(x)); norm, linear.

    Here a module is what ``mixers`` do with the normalised units, then a linear layer, GELU and
    dropout; the authors have two linear layers.

    Args:
        members: K.
        sizes: f, h and C.
        mixers: one a layer, each a module from units (K, n, h) and the graph to (K, n, its
            ``out``).
        dropout: share dropped.
    """

    def __init__(
        self, members: int, sizes: tuple[int, int, int], mixers: Sequence[nn.Module], dropout: float
    ) -> None:
        super().__init__()
        features, hidden, outputs = sizes
        self.inner = Affine(members, features, hidden)
        self.mixers = nn.ModuleList(mixers)
        widths = [int(getattr(mixer, "out", hidden)) for mixer in mixers]
        self.linears = nn.ModuleList(Affine(members, width, hidden) for width in widths)
        self.norms = nn.ModuleList(Normal(members, hidden) for _ in mixers)
        self.last, self.outer = Normal(members, hidden), Affine(members, hidden, outputs)
        self.drop = Drop(dropout)

    def features(self, x: torch.Tensor, graph: NodeGraph) -> torch.Tensor:
        """Map features (K, n, f) to units (K, n, h)."""
        x = F.gelu(self.drop(self.inner(x)))
        for norm, mixer, linear in zip(self.norms, self.mixers, self.linears, strict=True):
            x = x + self.drop(F.gelu(linear(mixer(norm(x), graph))))
        found: torch.Tensor = self.last(x)
        return found

    def head(self, features: torch.Tensor, graph: NodeGraph) -> torch.Tensor:
        """Map units (K, n, h) to outputs (K, n, C)."""
        found: torch.Tensor = self.outer(features)
        return found


class PlainNet(NodeNet):
    """The net of arXiv:1609.02907: A relu(A x W1 + b1) W2 + b2, A = D^-1/2 (A + I) D^-1/2.

    Args:
        members: K.
        sizes: f, h and C.
        dropout: share dropped before each product.
    """

    def __init__(self, members: int, sizes: tuple[int, int, int], dropout: float) -> None:
        super().__init__()
        features, hidden, outputs = sizes
        self.inner = Affine(members, features, hidden)
        self.outer = Affine(members, hidden, outputs)
        self.drop = Drop(dropout)

    def features(self, x: torch.Tensor, graph: NodeGraph) -> torch.Tensor:
        """Map features (K, n, f) to units (K, n, h)."""
        return F.relu(self.inner(along(graph.symmetric(loops=True), self.drop(x))))

    def head(self, features: torch.Tensor, graph: NodeGraph) -> torch.Tensor:
        """Map units (K, n, h) to outputs (K, n, C)."""
        found: torch.Tensor = self.outer(along(graph.symmetric(loops=True), self.drop(features)))
        return found
