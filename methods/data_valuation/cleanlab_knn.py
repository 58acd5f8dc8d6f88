"""KNN-Shapley as cleanlab computes it (arXiv:1908.08619)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks.data_valuation import Problem, Solution

from .knn_shapley import BIBTEX


class CleanlabNeighbours(Method):
    """Values of nearest neighbours with the training rows as queries; no validation row is looked
    at.
    """

    card: ClassVar = MethodCard(
        name="cleanlab-knn",
        title="KNN-Shapley (cleanlab)",
        track="data-valuation",
        paper="arXiv:1908.08619",
        bibtex=BIBTEX,
        deviates="The library is called, and differs from the exact values of the paper: queries "
        "are the training rows themselves, and a row has no value for a query unless it is among "
        "the k nearest, the paper's approximation at its coarsest. Ten neighbours, as the library "
        "has.",
        signal="features",
        libraries=("cleanlab",),
        needs=("classes",),
        defaults_from="here",
    )
    k: Annotated[int, Meta(ge=1)] = 10
    """Neighbours that vote."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Call the library with Euclidean distances."""
        from cleanlab.data_valuation import data_shapley_knn

        run.count(forward=len(problem.y))
        features = problem.x.flatten(1).double().cpu().numpy()
        k = min(self.k, len(features) - 1)
        labels = problem.y.cpu().numpy()
        found = data_shapley_knn(labels, features=features, metric="euclidean", k=k)
        return Solution(value=torch.from_numpy(found).double().to(problem.y.device))
