"""Track ``node-graphs``: say the class of each node of one graph, given those of some of them.

All nodes and edges are seen; the labels of validation and test nodes are not.

Shapes: K members (seeds), n nodes, f features, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F

from bench.cards import TrackCard
from bench.contracts import Method
from bench.runs.context import Run
from bench.tracks.node_graphs_problem import Members, Model, Problem, Solution
from bench.tracks.node_graphs_statistics import (
    adjusted_homophily,
    edge_homophily,
    label_informativeness,
    leak,
    twins,
)
from bench.training import optimisers
from bench.training.node_graph import NodeGraph
from bench.training.node_nets import NodeNet

__all__ = [
    "REPORTS",
    "Fixed",
    "Members",
    "Model",
    "NodeMethod",
    "Problem",
    "Solution",
    "adjusted_homophily",
    "cross_entropy",
    "edge_homophily",
    "label_informativeness",
    "leak",
    "twins",
]

TRACK = TrackCard(
    name="node-graphs",
    title="Nodes of a graph",
    about="Say the class of each node of a graph from the classes of some nodes.",
    field="shift",
    ranked="nets and other rules, by their scores on test nodes",
)

REPORTS = 20
"""Reports of a run, evenly spaced over its steps."""


class NodeMethod(Method, frozen=True, kw_only=True):
    """The shared loop: Adam on the mean cross entropy of the labelled nodes, all nodes a step.

    Methods state their net, and may replace the loss.
    """

    def net(self, members: Members) -> NodeNet:
        """Return K nets in one, their numbers not drawn yet."""
        raise NotImplementedError

    def start(self, members: Members, nets: NodeNet) -> Any:
        """Return the method's state: whatever the other hooks need between steps."""
        return None

    def loss(self, state: Any, members: Members, nets: NodeNet) -> torch.Tensor:
        """Return the objective of each member (K,), whose gradient the step follows."""
        return cross_entropy(nets(members.x, members.graph), members)

    def after_step(self, state: Any, members: Members, step: int) -> None:
        """Do what the method does between steps; ``step`` counts those that are behind."""

    def report(self, run: Run, step: int, model: Model) -> None:
        """Hand a model to whoever looks at the steps."""
        run.report(step, model)

    def finish(self, state: Any, members: Members, k: int) -> dict[str, Any]:
        """Return the fields of member ``k``'s solution besides the model."""
        return {}

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Train on one problem."""
        return self.solve_stacked([problem], [run])[0]

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Train on several problems of one protocol at once."""
        members = Members(problems, runs)
        nets = self.net(members)
        nets.draw([run.seeded("init") for run in runs])
        nets.to(members.device)
        nets.drop_from([run.torch_generator("augment", "dropout") for run in runs])
        state = self.start(members, nets)
        self._descend(state, members, nets)
        nets.eval()
        return [
            Solution(model=nets.member(k), **self.finish(state, members, k))
            for k in range(members.members)
        ]

    def _descend(self, state: Any, members: Members, nets: NodeNet) -> None:
        problem = members.problem
        optimiser = optimisers.adam(nets.parameters(), problem.lr)
        for group in optimiser.param_groups:
            group["weight_decay"] = problem.weight_decay
        ticks = [run.progress(problem.steps, "steps") for run in members.runs]
        every = max(1, problem.steps // REPORTS)
        for done in range(1, problem.steps + 1):
            nets.train()
            optimiser.zero_grad(set_to_none=True)
            self.loss(state, members, nets).sum().backward()
            optimiser.step()
            self.after_step(state, members, done)
            members.count(forward=members.nodes, backward=members.nodes)
            for k, tick in enumerate(ticks):
                tick()
                if done % every == 0 or done == problem.steps:
                    self.report(members.runs[k], done, nets.member(k))


class Fixed(torch.nn.Module):
    """A model whose logits (n, C) were found for the one graph that there is.

    Args:
        logits: of its nodes, in their order.
    """

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(logits.detach().float(), requires_grad=False)

    def forward(self, graph: NodeGraph) -> torch.Tensor:
        """Return the logits (n, C), whatever the graph."""
        return self.logits


def cross_entropy(logits: torch.Tensor, members: Members) -> torch.Tensor:
    """Return the mean cross entropy over the labelled nodes of each member (K,).

    Args:
        logits: (K, n, C).
        members: hold the labels.
    """
    losses = F.cross_entropy(logits.mT, members.y.clamp_min(0), reduction="none")
    return (losses * members.train).sum(1) / members.train.sum(1)
