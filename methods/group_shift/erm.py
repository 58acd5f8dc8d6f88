"""Empirical risk minimisation: the null method of the track."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard
from bench.tracks.group_shift import GroupMethod


class EmpiricalRisk(GroupMethod):
    """Minimise the mean loss over the training rows."""

    card: ClassVar = MethodCard(
        name="erm",
        title="Empirical risk minimisation",
        track="group-shift",
        official_code="none",
        signal="none",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
