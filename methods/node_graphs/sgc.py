"""Features smoothed over neighbours, then the standard net without edges (arXiv:1902.07153)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.node_graphs import Members, NodeMethod, cross_entropy
from bench.training.node_graph import NodeGraph
from bench.training.node_mixers import Own
from bench.training.node_nets import NodeNet, ResidualNet, along


class SmoothedFeatures(NodeMethod):
    """Multiply the features by D^-1/2 (A + I) D^-1/2 several times; train the net without edges on
    them.
    """

    card: ClassVar = MethodCard(
        name="sgc",
        title="Smoothed features, then a net (SGC)",
        track="node-graphs",
        paper="arXiv:1902.07153",
        bibtex="""@inproceedings{wu2019simplifying,
  title = {Simplifying Graph Convolutional Networks},
  author = {Wu, Felix and Souza, Amauri and Zhang, Tianyi and Fifty, Christopher and Yu, Tao and
    Weinberger, Kilian},
  booktitle = {ICML},
  year = {2019},
  eprint = {1902.07153},
  archivePrefix = {arXiv}
}""",
        claim="Nothing is lost when the layers of a graph net are linear but for the last.",
        deviates="The smoothed features go into the residual net without edges, as in "
        "arXiv:2302.11640, where the paper has a linear classifier. Five products, the number of "
        "arXiv:2302.11640; the paper has two.",
        stacked=True,
        defaults_from="paper",
    )
    rounds: Annotated[int, Meta(ge=0, le=1000)] = 5
    """Products; 0: none at all, which is the net without edges."""

    def net(self, members: Members) -> NodeNet:
        """Return residual layers without neighbours, which smooth what they are shown."""
        problem = members.problem
        inner = ResidualNet(
            members.members,
            (members.x.shape[2], problem.hidden, problem.n_classes),
            [Own() for _ in range(problem.layers)],
            problem.dropout,
        )
        return _Smoothing(inner, self.rounds)

    def start(self, members: Members, nets: NodeNet) -> torch.Tensor:
        """Smooth the features once for the whole training (K, n, f)."""
        return smoothed(members.x, members.graph, self.rounds)

    def loss(self, state: torch.Tensor, members: Members, nets: NodeNet) -> torch.Tensor:
        """Return the mean cross entropy of each member (K,), on the smoothed features."""
        assert isinstance(nets, _Smoothing)
        return cross_entropy(nets.inner(state, members.graph), members)


class _Smoothing(NodeNet):
    """A net behind smoothed features."""

    def __init__(self, inner: ResidualNet, rounds: int) -> None:
        super().__init__()
        self.inner, self.rounds = inner, rounds

    def features(self, x: torch.Tensor, graph: NodeGraph) -> torch.Tensor:
        return self.inner.features(smoothed(x, graph, self.rounds), graph)

    def head(self, features: torch.Tensor, graph: NodeGraph) -> torch.Tensor:
        return self.inner.head(features, graph)


def smoothed(x: torch.Tensor, graph: NodeGraph, rounds: int) -> torch.Tensor:
    """Return (D^-1/2 (A + I) D^-1/2)^rounds x, (K, n, f)."""
    for _ in range(rounds):
        x = along(graph.symmetric(loops=True), x)
    return x
