"""Gradient ascent on the rows to forget."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.unlearning import Group, Nets, UnlearningMethod, clip


class GradientAscent(UnlearningMethod):
    """Maximise the loss on S by clipped steps.

    A model whose forget accuracy is down to its validation accuracy is left alone from then on.
    """

    card: ClassVar = MethodCard(
        name="ga",
        title="Gradient ascent on the rows to forget",
        track=("unlearning-privacy", "unlearning-correction", "unlearning-regression"),
        official_code="ok",
        deviates=(
            "Gradients are clipped, and it stops by the validation rows; otherwise it destroys the "
            "model sooner or later. No effect at this scale that every seed shows within the "
            "gates: on random rows uAUC is 0.828 against the original's 0.841 (mean of five seeds, "
            "of which one fails a gate). Of three seeds that no board uses, a quarter of the rate "
            "lowers it by 0.007, the default fails a gate on one, and 2.5 times the rate destroys "
            "the model."
        ),
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lr": (0.005, 0.01, 0.02, 0.05), "epochs": (5, 10)},
    )
    settings: ClassVar = {"cifar10": {"lr": 1e-4, "epochs": 5}}
    lr: Annotated[float, Meta(ge=0)] = 0.02
    """Learning rate, constant, without momentum."""
    epochs: Annotated[int, Meta(ge=0)] = 10
    """Passes over S, at most."""
    clip: Annotated[float, Meta(gt=0)] = 1.0
    """Largest norm of a gradient."""

    def unlearn(self, group: Group) -> Nets:
        """Ascend."""
        nets, rows = group.originals(), group.rows(group.forget, "forget")
        going = torch.ones(group.members, dtype=torch.bool, device=group.device)
        for _ in group.epochs(self.epochs):
            if group.problem.n_classes:
                going = going & (group.accuracy(nets, group.forget) > group.accuracy(nets))
                group.count(forward=group.forget.shape[1] + group.y_val.shape[1])
            for batch in rows.epoch():
                nets.zero_grad()
                group.loss(nets(batch.x), batch.y).mean(-1).sum().backward()
                clip(nets, self.clip)
                with torch.no_grad():
                    for parameter in nets.parameters():
                        parameter += (going * self.lr).view(
                            -1, *[1] * (parameter.dim() - 1)
                        ) * parameter.grad
        return nets
