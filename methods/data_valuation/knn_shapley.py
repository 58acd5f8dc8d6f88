"""Shapley values of nearest neighbours, exactly (arXiv:1908.08619, arXiv:2304.04258,
arXiv:2308.15709).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks.data_valuation import Problem, Solution
from bench.tracks.data_valuation_games import CHUNK, squared_distances

BIBTEX = """@article{jia2019efficient,
  title = {Efficient Task-Specific Data Valuation for Nearest Neighbor Algorithms},
  author = {Jia, Ruoxi and Dao, David and Wang, Boxin and Hubis, Frances Ann and Gurel, Nezihe Merve
    and Li, Bo and Zhang, Ce and Spanos, Costas J. and Song, Dawn},
  journal = {Proceedings of the VLDB Endowment},
  volume = {12},
  number = {11},
  pages = {1610--1623},
  year = {2019},
  eprint = {1908.08619},
  archivePrefix = {arXiv}
}"""


class NeighbourShapley(Method):
    """Share what the nearest neighbours of the validation rows are worth among the rows, without a
    fit.
    """

    card: ClassVar = MethodCard(
        name="knn-shapley",
        title="KNN-Shapley",
        track="data-valuation",
        paper="arXiv:1908.08619, arXiv:2304.04258, arXiv:2308.15709",
        bibtex=BIBTEX,
        claim="The Shapley values of all rows in the game of a nearest-neighbour classifier take "
        "one sort a query.",
        deviates="Distances are of the inputs, not of the features of a pretrained net. The values "
        "are exact for fewer rows than K too, where public code mostly starts from m / n. soft and "
        "threshold: an empty set is worth 0 and 1 / C. threshold: the radius is taken from the "
        "data, and tuned in the paper. Ten neighbours; the example of the authors' code has one.",
        signal="features",
        needs=("classes",),
        defaults_from="here",
    )
    k: Annotated[int, Meta(ge=1)] = 10
    """Neighbours that vote."""
    kind: Literal["hard", "soft", "threshold"] = "hard"
    """What a set is worth to a query: matching labels among its k nearest over k (hard); over the
    neighbours there are, where these are fewer (soft); the share of matching labels among all rows
    within a radius, the median distance of a query to its k-th nearest row (threshold).
    """

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Value the rows for every query, some queries at a time."""
        queries = problem.queries
        x, y = (problem.x_val, problem.y_val) if queries is None else (queries.x, queries.y)
        run.count(forward=len(problem.y))
        chunk = max(1, CHUNK // len(problem.y))
        radius = self._radius(problem.x, x, chunk)
        total, tables = torch.zeros(len(problem.y), dtype=torch.float64, device=x.device), []
        for at in torch.arange(len(y), device=x.device).split(chunk):
            distances = squared_distances(x[at], problem.x)
            part = self._values(distances, problem.y == y[at, None], radius, problem.n_classes)
            total += part.sum(0)
            if queries is not None:
                tables.append(part.T)
        return Solution(value=total / len(y), attribution=torch.cat(tables, 1) if tables else None)

    def _radius(self, x: torch.Tensor, queries: torch.Tensor, chunk: int) -> float:
        """Return the squared radius; infinite where none is used."""
        if self.kind != "threshold":
            return torch.inf
        k = min(self.k, len(x))
        found = [squared_distances(part, x).kthvalue(k).values for part in queries.split(chunk)]
        return float(torch.cat(found).median())

    def _values(
        self, distances: torch.Tensor, matches: torch.Tensor, radius: float, classes: int
    ) -> torch.Tensor:
        if self.kind == "threshold":
            return within(distances <= radius, matches.double(), 1 / classes)
        order = distances.argsort(dim=1, stable=True)
        found = sorted_values(matches.gather(1, order).double(), self.k, self.kind == "soft")
        return torch.zeros_like(found).scatter_(1, order, found)


def sorted_values(matches: torch.Tensor, k: int, soft: bool = False) -> torch.Tensor:
    """Return the Shapley values (T, n) of rows sorted by their distance to a query.

    The value of a row exceeds that of the next one by (m_j - m_{j+1}) c_j, so that all are one
    reversed cumulative sum; the sum of all is the value of all rows together.

    Source: arXiv:1908.08619, theorem 1; arXiv:2304.04258, theorem 1.

    Args:
        matches: 1 where a row has the label of the query (T, n), the nearest first.
        k: neighbours that vote.
        soft: whether the vote is over the neighbours there are.
    """
    n = matches.shape[1]
    place = torch.arange(1, n + 1, dtype=torch.float64, device=matches.device)
    weight = place.clamp_max(k) / (k * place)
    if soft:
        sizes = torch.arange(1, min(k, n), dtype=torch.float64, device=matches.device)
        weight = weight + (1 / sizes - 1 / k).sum() / max(1, n - 1)
    steps = (matches[:, :-1] - matches[:, 1:]) * weight[:-1]
    above = torch.cat([steps.flip(1).cumsum(1).flip(1), torch.zeros_like(matches[:, :1])], 1)
    voters = min(k, n)
    whole = matches[:, :voters].sum(1) / (voters if soft else k)
    return above + ((whole - above.sum(1)) / n)[:, None]


def within(inside: torch.Tensor, matches: torch.Tensor, guess: float) -> torch.Tensor:
    """Return the Shapley values (T, n) in the game of the share of matching labels among the rows
    inside a radius, of which an empty set is worth a guess; rows outside are worth 0.

    Source: arXiv:2308.15709, theorem 10.

    Args:
        inside: (T, n), bool.
        matches: 1 where a row has the label of the query (T, n).
        guess: value of no neighbour at all.
    """
    count = inside.sum(1, keepdim=True)
    total = (matches * inside).sum(1, keepdim=True)
    harmonic = torch.arange(1, inside.shape[1] + 1, dtype=torch.float64, device=matches.device)
    harmonic = torch.cat([torch.zeros_like(harmonic[:1]), (1 / harmonic).cumsum(0)])[count]
    others = (total - matches) / (count - 1).clamp_min(1)
    joined = (harmonic - 1) * (matches - others) * (count > 1)
    return torch.where(inside, (matches - guess + joined) / count.clamp_min(1), 0.0)
