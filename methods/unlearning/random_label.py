"""Random labels on the rows to forget."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import torch

from bench import Meta, MethodCard
from bench.tracks.unlearning import (
    Batch,
    Group,
    Nets,
    UnlearningMethod,
    cross_entropy,
    set_rate,
    step,
)


class RandomLabel(UnlearningMethod):
    """Train on S with a new uniform label at every visit, and on R with its own labels."""

    card: ClassVar = MethodCard(
        name="random-label",
        title="Random labels on the rows to forget",
        track=("unlearning-privacy", "unlearning-correction"),
        official_code="ok",
        deviates=(
            "Defaults are this project's small-data values, with a falling rate; the SalUn "
            "repository's are in 'settings'. No effect at this scale: on random rows its models "
            "are further from retrained ones than the originals are."
        ),
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lr": (0.001, 0.005, 0.02, 0.05), "epochs": (5, 10)},
    )
    settings: ClassVar = {
        "cifar10": {"lr": 0.013, "epochs": 10, "falling": False},
        "cifar100": {"lr": 0.013, "epochs": 10, "order": "mixed", "falling": False},
    }
    lr: Annotated[float, Meta(gt=0)] = 0.005
    """Learning rate at the start."""
    falling: bool = True
    """The rate falls along a half cosine, epoch by epoch; else it is constant."""
    epochs: Annotated[int, Meta(ge=0)] = 10
    """Passes over all rows."""
    order: Literal["alternate", "mixed"] = "alternate"
    """In every epoch first S and then R, or both shuffled together."""

    def unlearn(self, group: Group) -> Nets:
        """Relabel and train."""
        nets = group.originals()
        optimiser = group.sgd(nets, self.lr)
        relabel, restrain = _Relabelling(group), self.restraint(group, nets, optimiser)
        parts = (
            [group.rows(group.everything, "everything")]
            if self.order == "mixed"
            else [group.rows(group.forget, "forget"), group.rows(group.retain, "retain")]
        )
        for epoch in group.epochs(self.epochs):
            relabel.redraw()
            cosine = 0.5 * (1 + math.cos(math.pi * epoch / self.epochs)) if self.falling else 1.0
            set_rate(optimiser, self.lr * cosine)
            for rows in parts:
                for batch in rows.epoch():
                    step(optimiser, cross_entropy(nets(batch.x), relabel(batch)))
                    restrain()
        return nets

    def restraint(self, group: Group, nets: Nets, optimiser: torch.optim.SGD) -> _Restraint:
        """Return what is called after every step."""
        return _Restraint()


class _Restraint:
    def __call__(self) -> None:
        """Leave all weights free."""


class _Relabelling:
    """The labels as given, but those of S drawn anew in every epoch."""

    def __init__(self, group: Group) -> None:
        self._group, self._y = group, group.y.clone()
        self._generators = group.generators("method", "labels")

    def redraw(self) -> None:
        count, classes = self._group.forget.shape[1], self._group.problem.n_classes
        drawn = torch.stack(
            [
                torch.randint(classes, (count,), generator=generator)
                for generator in self._generators
            ]
        )
        self._y.scatter_(1, self._group.forget, drawn.to(self._y.device))

    def __call__(self, batch: Batch) -> torch.Tensor:
        return self._y.gather(1, batch.rows)
