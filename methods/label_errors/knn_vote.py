"""Neighbours' votes: SimiFeat-V (arXiv:2110.06283)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch.nn import functional as F

from bench import Meta, Method, MethodCard, Run
from bench.tracks.label_errors import Problem, Solution, votes


class NeighbourVote(Method):
    """Ask each row's nearest neighbours for its label."""

    card: ClassVar = MethodCard(
        name="knn-vote",
        title="Vote of the nearest neighbours (SimiFeat-V)",
        track="label-errors",
        paper="arXiv:2110.06283",
        bibtex="""@inproceedings{zhu2022detecting,
  title = {Detecting Corrupted Labels Without Training a Model to Predict},
  author = {Zhu, Zhaowei and Dong, Zihao and Liu, Yang},
  booktitle = {ICML},
  year = {2022},
  eprint = {2110.06283},
  archivePrefix = {arXiv}
}""",
        deviates="Neighbours in the inputs, not in the features of a pretrained net; one vote, not "
        "several over augmentations.",
        signal="features",
        plain=True,
        defaults_from="paper",
    )
    k: Annotated[int, Meta(ge=1)] = 10
    """Number of neighbours by cosine, the row itself left out."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Suspicion: share of the neighbours with another label.

        Flagged: some label has more votes than the given one.
        """
        x, y = F.normalize(problem.x.flatten(1), dim=1), problem.y
        run.count(forward=len(y))
        shares = torch.cat(
            [
                self._shares(rows, x, y, problem.n_classes)
                for rows in torch.arange(len(y), device=x.device).split(2048)
            ]
        )
        given = shares.gather(1, y[:, None])[:, 0]
        return Solution(suspicion=1 - given, flags=shares.amax(1) > given)

    def _shares(
        self, rows: torch.Tensor, x: torch.Tensor, y: torch.Tensor, classes: int
    ) -> torch.Tensor:
        distances = -x[rows] @ x.T
        distances[torch.arange(len(rows), device=x.device), rows] = torch.inf
        return votes(distances, y, self.k, classes)
