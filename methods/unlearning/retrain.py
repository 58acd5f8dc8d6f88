"""Training anew without the rows to forget: exact, and what everything else is compared with."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard
from bench.tracks.unlearning import Group, Nets, Solution, UnlearningMethod, solutions, train


class Retrain(UnlearningMethod):
    """The training recipe on the rows that stay, from new initial weights.

    Its seeds are not those of the models it is compared with.
    """

    card: ClassVar = MethodCard(
        name="retrain",
        title="Retraining without the rows",
        track=("unlearning-privacy", "unlearning-correction", "unlearning-regression"),
        stacked=True,
        defaults_from="here",
    )

    def unlearn(self, group: Group) -> list[Solution]:
        """Train on R."""
        nets: Nets = train(group, group.fresh(), group.rows(group.retain, "retain"))
        return solutions(nets, exact=True)
