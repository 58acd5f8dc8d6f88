"""GraphSAGE with residual connections and layer norm (arXiv:1706.02216, arXiv:2302.11640)."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard
from bench.tracks.node_graphs import Members, NodeMethod
from bench.training.node_mixers import EgoAndMean
from bench.training.node_nets import ResidualNet


class SampleAndAggregate(NodeMethod):
    """Keep a node's own units apart from the mean over its neighbours in each residual layer."""

    card: ClassVar = MethodCard(
        name="sage",
        title="GraphSAGE: own units beside the mean of neighbours",
        track="node-graphs",
        paper="arXiv:1706.02216",
        bibtex="""@inproceedings{hamilton2017inductive,
  title = {Inductive Representation Learning on Large Graphs},
  author = {Hamilton, William L. and Ying, Rex and Leskovec, Jure},
  booktitle = {NeurIPS},
  year = {2017},
  eprint = {1706.02216},
  archivePrefix = {arXiv}
}""",
        claim="Separate maps for a node and for its neighbours' mean classify unseen nodes.",
        deviates="The net is that of arXiv:2302.11640 with one linear map a layer instead of two; "
        "the mean is over all neighbours, none are sampled, and the loss is supervised alone.",
        stacked=True,
        defaults_from="paper",
    )

    def net(self, members: Members) -> ResidualNet:
        """Return residual layers that read a node beside the mean over its neighbours."""
        problem = members.problem
        return ResidualNet(
            members.members,
            (members.x.shape[2], problem.hidden, problem.n_classes),
            [EgoAndMean(problem.hidden) for _ in range(problem.layers)],
            problem.dropout,
        )
