"""Graph attention with residual connections and layer norm (arXiv:1710.10903, arXiv:2302.11640)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, MethodCard
from bench.tracks.node_graphs import Members, NodeMethod
from bench.training.node_mixers import Attention
from bench.training.node_nets import ResidualNet


class GraphAttention(NodeMethod):
    """Weigh neighbours by attention in each residual layer."""

    card: ClassVar = MethodCard(
        name="gat",
        title="Graph attention (GAT)",
        track="node-graphs",
        paper="arXiv:1710.10903",
        bibtex="""@inproceedings{velickovic2018graph,
  title = {Graph Attention Networks},
  author = {Velickovic, Petar and Cucurull, Guillem and Casanova, Arantxa and Romero, Adriana and
    Lio, Pietro and Bengio, Yoshua},
  booktitle = {ICLR},
  year = {2018},
  eprint = {1710.10903},
  archivePrefix = {arXiv}
}""",
        claim="Weights of neighbours that depend on their units are better than fixed ones.",
        deviates="The net is that of arXiv:2302.11640 with 64 units and one linear map after "
        "the attention instead of two. No dropout on attention weights, and no loops: the "
        "residual connection carries the node itself.",
        stacked=True,
        defaults_from="paper",
    )
    heads: Annotated[int, Meta(ge=1)] = 8
    """Means over neighbours, each with weights of its own; a divisor of the hidden units."""

    def net(self, members: Members) -> ResidualNet:
        """Return residual layers of attention over neighbours."""
        problem = members.problem
        mixers = [
            Attention(members.members, problem.hidden, self.heads, separate=False)
            for _ in range(problem.layers)
        ]
        sizes = (members.x.shape[2], problem.hidden, problem.n_classes)
        return ResidualNet(members.members, sizes, mixers, problem.dropout)
