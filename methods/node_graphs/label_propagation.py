"""Labels spread along the edges, without features
(Learning with Local and Global Consistency (NeurIPS 2003)).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks.node_graphs import Fixed, Members, Problem, Solution
from bench.training.node_nets import along


class LabelPropagation(Method, frozen=True, kw_only=True):
    """Repeat Y <- alpha D^-1/2 A D^-1/2 Y + (1 - alpha) Y0, Y0 the known labels, 0 elsewhere."""

    card: ClassVar = MethodCard(
        name="label-propagation",
        title="Label propagation",
        track="node-graphs",
        paper="Learning with Local and Global Consistency (NeurIPS 2003)",
        bibtex="""@inproceedings{zhou2003learning,
  title = {Learning with Local and Global Consistency},
  author = {Zhou, Dengyong and Bousquet, Olivier and Lal, Thomas Navin and Weston, Jason and
    Sch{\\"o}lkopf, Bernhard},
  booktitle = {NeurIPS},
  year = {2003}
}""",
        claim="Labels that spread to neighbours until nothing changes classify the other nodes.",
        deviates="The graph is the task's, where the paper makes one from distances of features; "
        "alpha is .9 in place of .99, and 50 rounds stand for the limit.",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    alpha: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    """Weight of the neighbours."""
    rounds: Annotated[int, Meta(ge=1, le=10_000)] = 50
    """Products with the edges."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Spread the labels of one problem."""
        return self.solve_stacked([problem], [run])[0]

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Spread the labels of several problems at once."""
        members = Members(problems, runs)
        known = torch.nn.functional.one_hot(members.y.clamp_min(0), members.problem.n_classes)
        start = known.to(members.x.dtype) * members.train[..., None]
        spread = start
        for _ in range(self.rounds):
            spread = self.alpha * along(members.graph.symmetric(), spread)
            spread = spread + (1 - self.alpha) * start
        members.count(forward=self.rounds * members.nodes)
        return [Solution(model=Fixed(own)) for own in spread]
