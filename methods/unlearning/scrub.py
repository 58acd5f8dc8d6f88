"""SCRUB (arXiv:2302.09880): leave the original on S, stay with it on R."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.unlearning import (
    Batch,
    Group,
    Nets,
    UnlearningMethod,
    beside,
    cross_entropy,
    divergence,
    set_rate,
    step,
)


class Scrub(UnlearningMethod):
    """In the first epochs move away from the original's outputs on S; in
    every epoch fit R's labels and its outputs.
    """

    card: ClassVar = MethodCard(
        name="scrub",
        title="SCRUB",
        track=("unlearning-privacy", "unlearning-correction"),
        paper="arXiv:2302.09880",
        bibtex="""@inproceedings{kurmanji2023towards,
  title = {Towards Unbounded Machine Unlearning},
  author = {Kurmanji, Meghdad and Triantafillou, Peter and Hayes, Jamie and Triantafillou, Eleni},
  booktitle = {NeurIPS},
  year = {2023},
  eprint = {2302.09880},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates=(
            "SGD with the task's momentum instead of Adam, a cosine instead of steps in the "
            "learning rate, and no rewinding (SCRUB+R). At the original itself the divergence "
            "has no slope, so the first pass over S does nothing under SGD; where Adam goes from "
            "there is rounding."
        ),
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lr": (0.01, 0.02, 0.05), "msteps": (1, 2, 3)},
    )
    settings: ClassVar = {
        "notebook": {
            "temperature": 2.0,
            "alpha": 0.5,
            "gamma": 1.0,
            "msteps": 3,
            "lr": 0.0005,
            "epochs": 10,
        },
        "worst-case": {"temperature": 4.0, "alpha": 0.001, "gamma": 0.99, "msteps": 1},
    }
    lr: Annotated[float, Meta(gt=0)] = 0.02
    """Learning rate at the start."""
    falling: bool = True
    """On R the rate falls along a half cosine, epoch by epoch; else it is constant."""
    epochs: Annotated[int, Meta(ge=0)] = 5
    """Passes over R."""
    msteps: Annotated[int, Meta(ge=0)] = 2
    """Epochs that begin with a pass over S."""
    temperature: Annotated[float, Meta(gt=0)] = 4.0
    """T of the divergence."""
    alpha: Annotated[float, Meta(ge=0)] = 0.001
    """Weight of the divergence on R."""
    gamma: Annotated[float, Meta(ge=0)] = 0.99
    """Weight of the cross entropy on R."""

    def unlearn(self, group: Group) -> Nets:
        """Alternate max steps on S and min steps on R."""
        nets = group.originals()
        taught = group.known(group.originals(), group.forget, group.retain)
        forget, retain = group.rows(group.forget, "forget"), group.rows(group.retain, "retain")
        optimiser = group.sgd(nets, self.lr)

        def apart(batch: Batch, logits: torch.Tensor) -> torch.Tensor:
            return divergence(beside(taught, batch.rows), logits, self.temperature)

        for epoch in group.epochs(self.epochs):
            set_rate(optimiser, self.lr)
            if epoch < self.msteps:
                for batch in forget.epoch():
                    step(optimiser, -apart(batch, nets(batch.x)))
            cosine = 0.5 * (1 + math.cos(math.pi * epoch / self.epochs)) if self.falling else 1.0
            set_rate(optimiser, self.lr * cosine)
            for batch in retain.epoch():
                logits = nets(batch.x)
                step(
                    optimiser,
                    self.gamma * cross_entropy(logits, batch.y) + self.alpha * apart(batch, logits),
                )
        return nets
