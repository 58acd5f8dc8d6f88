"""Empirical risk minimisation: the null method of the track."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard
from bench.tracks.graph_ood import GraphMethod


class EmpiricalRisk(GraphMethod):
    """Minimise the mean loss over the training graphs."""

    card: ClassVar = MethodCard(
        name="erm",
        title="Empirical risk minimisation",
        track="graph-ood",
        libraries=("torch_geometric",),
        official_code="none",
        plain=True,
        defaults_from="here",
    )
