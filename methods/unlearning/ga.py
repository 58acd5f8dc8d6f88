"""Gradient ascent on the rows to forget."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.unlearning import Group, Nets, UnlearningMethod, clip, descend
from bench.training.state import evaluating


class GradientAscent(UnlearningMethod):
    """Maximise the loss on S by clipped steps.

    A model that fits S no better than rows it never saw is left alone from then on.
    """

    card: ClassVar = MethodCard(
        name="ga",
        title="Gradient ascent on the rows to forget",
        track=("unlearning-privacy", "unlearning-correction", "unlearning-regression"),
        official_code="ok",
        deviates=(
            "Gradients are clipped, and before every pass it stops by the validation rows: where "
            "the accuracy on S is down to theirs (0 for labels that no row which stays bears), or "
            "in regression the error up to theirs; otherwise it destroys the model sooner or "
            "later. The rate is in units of the task's recipe; the official one is constant. No "
            "effect at this scale that every seed shows within the gates."
        ),
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"rate": (0.1, 0.2, 0.4, 1.0), "epochs": (5, 10)},
    )
    settings: ClassVar = {"cifar10": {"rate": 0.001, "epochs": 5}}
    rate: Annotated[float, Meta(ge=0)] = 0.4
    """Learning rate over that of the recipe, constant, without momentum."""
    epochs: Annotated[int, Meta(ge=0)] = 10
    """Passes over S, at most."""
    clip: Annotated[float, Meta(gt=0)] = 1.0
    """Largest norm of a gradient."""

    def unlearn(self, group: Group) -> Nets:
        """Ascend."""
        nets, rows = group.originals(), group.rows(group.forget, "forget")
        going = torch.ones(group.members, dtype=torch.bool, device=group.device)
        for _ in group.epochs(self.epochs):
            going = going & self.fitted(group, nets)
            for batch in rows.epoch():
                nets.zero_grad()
                descend(group.loss(nets(batch.x), batch.y))
                clip(nets, self.clip)
                with torch.no_grad():
                    for parameter in nets.parameters():
                        parameter += (going * self.rate * group.problem.lr).view(
                            -1, *[1] * (parameter.dim() - 1)
                        ) * parameter.grad
        return nets

    @staticmethod
    def fitted(group: Group, nets: Nets) -> torch.Tensor:
        """Say which members fit S better than rows that they never saw, (M,), bool."""
        group.count(forward=group.forget.shape[1] + group.y_val.shape[1])
        if group.problem.n_classes:
            return group.accuracy(nets, group.forget) > group.expected(nets)
        with evaluating(nets):
            unseen = group.loss(nets(group.x_val), group.y_val).mean(-1)
        of_forgotten = group.loss(
            group.outputs(nets, group.forget), group.y.gather(1, group.forget)
        )
        return of_forgotten.mean(-1) < unseen
