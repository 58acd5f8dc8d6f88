"""The k nearest neighbours in the inputs (doi:10.1109/TIT.1967.1053964): what a net has to beat."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch import nn

from bench import Meta, Method, MethodCard, Run
from bench.tracks.label_errors import votes
from bench.tracks.noisy_labels import Problem, Solution


class NearestNeighbours(Method):
    """Give a row the label that most of the training rows nearest to it have."""

    card: ClassVar = MethodCard(
        name="knn",
        title="Vote of the nearest neighbours in the inputs",
        track="noisy-labels",
        paper="doi:10.1109/TIT.1967.1053964",
        bibtex="""@article{cover1967nearest,
  title = {Nearest Neighbor Pattern Classification},
  author = {Cover, Thomas M. and Hart, Peter E.},
  journal = {IEEE Transactions on Information Theory},
  volume = {13},
  number = {1},
  pages = {21--27},
  year = {1967}
}""",
        claim="With many rows one nearest neighbour errs at most twice as often as the best "
        "rule; no claim about wrong labels, which many neighbours outvote.",
        deviates="Many neighbours instead of one. Nothing is computed before a row is asked about, "
        "so its cost falls on the evaluation.",
        plain=True,
        defaults_from="here",
    )
    k: Annotated[int, Meta(ge=1)] = 20
    """Neighbours by Euclid's distance."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Keep the training rows."""
        return Solution(model=Neighbours(problem, self.k))


class Neighbours(nn.Module):
    """The rows of a problem (N, ...) and their given labels (N,), as a classifier."""

    def __init__(self, problem: Problem, k: int) -> None:
        super().__init__()
        self.x, self.y, self.classes, self.k = (
            problem.x.flatten(1).clone(),
            problem.y.clone(),
            problem.n_classes,
            k,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the log of the shares of the classes among the neighbours of rows (n, ...), (n,
        C); each class has one vote more than it got.
        """
        shares = torch.cat(
            [
                votes(torch.cdist(part, self.x), self.y, self.k, self.classes)
                for part in x.flatten(1).split(2048)
            ]
        )
        found: torch.Tensor = (shares * min(self.k, len(self.y)) + 1).log().log_softmax(-1).float()
        return found
