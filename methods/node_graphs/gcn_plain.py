"""The first graph convolutional net (arXiv:1609.02907)."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard
from bench.tracks.node_graphs import Members, NodeMethod
from bench.training.node_nets import PlainNet


class PlainConvolution(NodeMethod):
    """Two graph convolutions with loops, without residual connections and norms."""

    card: ClassVar = MethodCard(
        name="gcn-plain",
        title="Two graph convolutions (GCN of 2017)",
        track="node-graphs",
        paper="arXiv:1609.02907",
        bibtex="""@inproceedings{kipf2017semi,
  title = {Semi-Supervised Classification with Graph Convolutional Networks},
  author = {Kipf, Thomas N. and Welling, Max},
  booktitle = {ICLR},
  year = {2017},
  eprint = {1609.02907},
  archivePrefix = {arXiv}
}""",
        claim="Two layers of normalised sums over neighbours classify nodes of citation graphs "
        "better than propagation of labels and features alone.",
        deviates="Hidden units, dropout, rate and steps are the task's; weight decay is on both "
        "layers, and weights are drawn as torch draws them. There are two layers whatever the "
        "task says.",
        stacked=True,
        defaults_from="paper",
    )

    def net(self, members: Members) -> PlainNet:
        """Return two graph convolutions."""
        problem = members.problem
        sizes = (members.x.shape[2], problem.hidden, problem.n_classes)
        return PlainNet(members.members, sizes, problem.dropout)
