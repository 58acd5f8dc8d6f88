"""Fine-tuning on the rows that stay."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, MethodCard
from bench.tracks.unlearning import Group, Nets, UnlearningMethod, step


class FineTune(UnlearningMethod):
    """Minimise the loss on R alone, and trust that S fades."""

    card: ClassVar = MethodCard(
        name="ft",
        title="Fine-tuning on the rows that stay",
        track=("unlearning-privacy", "unlearning-correction", "unlearning-regression"),
        official_code="ok",
        deviates="Defaults are this project's small-data values, with a falling rate in units of "
        "the task's recipe; those of the Unlearn-Sparse repository, whose recipe has 0.1, are in "
        "'settings'.",
        stacked=True,
        plain=True,
        defaults_from="here",
        trials=None,
        tuning={"rate": (0.4, 0.8, 1.6, 3.2), "epochs": (5, 10)},
    )
    settings: ClassVar = {"cifar10": {"rate": 0.1, "epochs": 10, "falling": False}}
    rate: Annotated[float, Meta(gt=0)] = 1.6
    """Learning rate at the start, over that of the recipe which trained the original."""
    falling: bool = True
    """The rate falls to 0 along a half cosine; else it is constant."""
    epochs: Annotated[int, Meta(ge=0)] = 10
    """Passes over R."""

    def unlearn(self, group: Group) -> Nets:
        """Fine-tune."""
        nets = self.start(group)
        rows, optimiser = (
            group.rows(group.retain, "retain"),
            group.sgd(nets, self.rate * group.problem.lr),
        )
        for _, batch in group.walk(rows, optimiser, self.epochs, self.falling):
            step(optimiser, group.loss(nets(batch.x), batch.y))
        return nets

    def start(self, group: Group) -> Nets:
        """Return the nets to fine-tune."""
        return group.originals()
