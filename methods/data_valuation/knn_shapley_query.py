"""Shapley values of nearest neighbours for each query (arXiv:1908.08619)."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard

from .knn_shapley import BIBTEX, NeighbourShapley


class QueryShapley(NeighbourShapley):
    """Share what the nearest neighbours of each query are worth to it among the rows."""

    card: ClassVar = MethodCard(
        name="knn-shapley-query",
        title="KNN-Shapley of each query",
        track="data-valuation",
        paper="arXiv:1908.08619",
        bibtex=BIBTEX,
        deviates="As knn-shapley, for each query alone instead of the mean over validation rows.",
        signal="features",
        needs=("classes", "queries"),
        defaults_from="here",
    )
