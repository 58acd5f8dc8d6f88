"""The standard net without neighbours."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard
from bench.tracks.node_graphs import Members, NodeMethod
from bench.training.node_mixers import Own
from bench.training.node_nets import ResidualNet


class NoEdges(NodeMethod):
    """Judge each node by its features alone."""

    card: ClassVar = MethodCard(
        name="mlp",
        title="The standard net without edges",
        track="node-graphs",
        stacked=True,
        plain=True,
        defaults_from="here",
    )

    def net(self, members: Members) -> ResidualNet:
        """Return residual layers without neighbours."""
        problem = members.problem
        return ResidualNet(
            members.members,
            (members.x.shape[2], problem.hidden, problem.n_classes),
            [Own() for _ in range(problem.layers)],
            problem.dropout,
        )
