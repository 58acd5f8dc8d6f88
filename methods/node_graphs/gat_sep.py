"""Graph attention beside a node's own units (arXiv:1710.10903, arXiv:2302.11640)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, MethodCard
from bench.tracks.node_graphs import Members, NodeMethod
from bench.training.node_mixers import Attention
from bench.training.node_nets import ResidualNet


class SeparateAttention(NodeMethod):
    """Weigh neighbours by attention, and keep a node's own units apart from what comes of them."""

    card: ClassVar = MethodCard(
        name="gat-sep",
        title="Graph attention beside own units (GAT-sep)",
        track="node-graphs",
        paper="arXiv:2302.11640",
        bibtex="""@inproceedings{platonov2023critical,
  title = {A critical look at the evaluation of GNNs under heterophily: Are we really making
    progress?},
  author = {Platonov, Oleg and Kuznedelev, Denis and Diskin, Michael and Babenko, Artem and
    Prokhorenkova, Liudmila},
  booktitle = {ICLR},
  year = {2023},
  eprint = {2302.11640},
  archivePrefix = {arXiv}
}""",
        claim="Keeping a node's own representation separate helps attention under heterophily.",
        official_code="ok",
        deviates="The net is that of arXiv:2302.11640 with 64 units and one linear map after "
        "the attention instead of two. No dropout on attention weights, and no loops: the node "
        "itself has units of its own.",
        stacked=True,
        defaults_from="paper",
    )
    heads: Annotated[int, Meta(ge=1)] = 8
    """Means over neighbours, each with weights of its own; a divisor of the hidden units."""

    def net(self, members: Members) -> ResidualNet:
        """Return residual layers of attention over neighbours."""
        problem = members.problem
        mixers = [
            Attention(members.members, problem.hidden, self.heads, separate=True)
            for _ in range(problem.layers)
        ]
        sizes = (members.x.shape[2], problem.hidden, problem.n_classes)
        return ResidualNet(members.members, sizes, mixers, problem.dropout)
