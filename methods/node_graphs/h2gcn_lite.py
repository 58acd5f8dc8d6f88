"""A net made for graphs whose neighbours differ: H2GCN with two rounds (arXiv:2006.11468)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch.nn import functional as F

from bench import MethodCard
from bench.tracks.node_graphs import Members, NodeMethod, cross_entropy
from bench.training.node_graph import NodeGraph
from bench.training.node_nets import Affine, Drop, NodeNet, along

ROUNDS = 2
"""Sums over neighbours one after the other, each twice as wide as the one before."""


class NearAndFar(NodeMethod):
    """Keep apart what a node, its neighbours and the nodes two edges away say, and let a linear map
    read all of it.
    """

    card: ClassVar = MethodCard(
        name="h2gcn-lite",
        title="Own units, neighbours and nodes two edges away, kept apart (H2GCN)",
        track="node-graphs",
        paper="arXiv:2006.11468",
        bibtex="""@inproceedings{zhu2020beyond,
  title = {Beyond Homophily in Graph Neural Networks: Current Limitations and Effective Designs},
  author = {Zhu, Jiong and Yan, Yujun and Zhao, Lingxiao and Heimann, Mark and Akoglu, Leman and
    Koutra, Danai},
  booktitle = {NeurIPS},
  year = {2020},
  eprint = {2006.11468},
  archivePrefix = {arXiv}
}""",
        claim="Where neighbours are of other classes, nets gain from own units kept apart, from "
        "nodes two edges away and from the units of all rounds.",
        official_code="ok",
        deviates="Dropout, weight decay, rate and steps are the task's; the authors have .5, 5e-4, "
        ".01 and a search. Features are not divided by their sum, and the two linear maps have a "
        "bias. There are two rounds whatever the task says.",
        libraries=("scipy",),
        stacked=True,
        defaults_from="paper",
    )

    def net(self, members: Members) -> NodeNet:
        """Return an embedding, two rounds of sums, and a linear map of all of it."""
        problem = members.problem
        sizes = (members.x.shape[2], problem.hidden, problem.n_classes)
        return _Rounds(members.members, sizes, problem.dropout)

    def start(self, members: Members, nets: NodeNet) -> NodeGraph:
        """Find the nodes two edges away once for the whole training."""
        return beyond(members.graph)

    def loss(self, state: NodeGraph, members: Members, nets: NodeNet) -> torch.Tensor:
        """Return the mean cross entropy of each member (K,)."""
        assert isinstance(nets, _Rounds)
        found = nets.units(members.x, members.graph, state)
        return cross_entropy(nets.head(found, members.graph), members)


class _Rounds(NodeNet):
    """r_0 = relu(x W_0), r_k = A_1 r_(k-1) beside A_2 r_(k-1), and (r_0 beside r_1 beside r_2) W,
    A_1 and A_2 the normalised matrices of neighbours and of nodes two edges away (section 3.2).
    """

    def __init__(self, members: int, sizes: tuple[int, int, int], dropout: float) -> None:
        super().__init__()
        features, hidden, outputs = sizes
        self.inner = Affine(members, features, hidden)
        self.outer = Affine(members, hidden * (2 ** (ROUNDS + 1) - 1), outputs)
        self.drop = Drop(dropout)

    def units(self, x: torch.Tensor, near: NodeGraph, far: NodeGraph) -> torch.Tensor:
        """Map features (K, n, f) to the units of all rounds (K, n, 7 h)."""
        found = [F.relu(self.inner(x))]
        for _ in range(ROUNDS):
            found.append(torch.cat([along(hop.symmetric(), found[-1]) for hop in (near, far)], -1))
        return torch.cat(found, -1)

    def features(self, x: torch.Tensor, graph: NodeGraph) -> torch.Tensor:
        return self.units(x, graph, beyond(graph))

    def head(self, features: torch.Tensor, graph: NodeGraph) -> torch.Tensor:
        found: torch.Tensor = self.outer(self.drop(features))
        return found


def beyond(graph: NodeGraph) -> NodeGraph:
    """Return the nodes with edges between those that have a common neighbour and no edge."""
    first, second = graph.edges.cpu().numpy()
    links = csr_matrix((np.ones(len(first)), (second, first)), (len(graph), len(graph)))
    # common neighbours, fewer than nodes; below 0 where there is an edge
    two = (links @ links - len(graph) * links).tocoo()
    apart = (two.row != two.col) & (two.data > 0)
    ends = np.stack([two.col[apart], two.row[apart]]).astype(np.int64)
    return NodeGraph(graph.x, torch.from_numpy(ends).to(graph.edges.device))
