"""Graph convolutions with residual connections and layer norm (arXiv:2302.11640)."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard
from bench.tracks.node_graphs import Members, NodeMethod
from bench.training.node_mixers import Symmetric
from bench.training.node_nets import ResidualNet

BIBTEX = """@inproceedings{platonov2023critical,
  title = {A critical look at the evaluation of GNNs under heterophily: Are we really making
    progress?},
  author = {Platonov, Oleg and Kuznedelev, Denis and Diskin, Michael and Babenko, Artem and
    Prokhorenkova, Liudmila},
  booktitle = {ICLR},
  year = {2023},
  eprint = {2302.11640},
  archivePrefix = {arXiv}
}"""


class GraphConvolution(NodeMethod):
    """Add up normalised neighbours in each residual layer; the node itself comes by the residual
    connection alone.
    """

    card: ClassVar = MethodCard(
        name="gcn",
        title="Graph convolutions with residual connections",
        track="node-graphs",
        paper="arXiv:2302.11640",
        bibtex=BIBTEX,
        claim="Standard graph nets with residual connections and normalisation outperform nets "
        "made for heterophily.",
        official_code="ok",
        deviates="A layer has one linear map instead of two, and 64 units in place of 512. Adam "
        "takes 200 steps at a rate of 1e-2 instead of 1,000 at 3e-5; the preset paper has those. "
        "The step is chosen among twenty.",
        stacked=True,
        defaults_from="paper",
    )

    def net(self, members: Members) -> ResidualNet:
        """Return residual layers of graph convolutions."""
        problem = members.problem
        return ResidualNet(
            members.members,
            (members.x.shape[2], problem.hidden, problem.n_classes),
            [Symmetric() for _ in range(problem.layers)],
            problem.dropout,
        )
