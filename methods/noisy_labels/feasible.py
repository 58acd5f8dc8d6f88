"""Feasible learning (arXiv:2501.14912)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.noisy_labels import Batch, NoisyLabelMethod, Seeds, cross_entropy


class FeasibleLearning(NoisyLabelMethod):
    """Ask every row's loss to be below one bound; a row's weight is the multiplier of its own
    constraint.
    """

    card: ClassVar = MethodCard(
        name="feasible",
        title="Feasible learning",
        track="noisy-labels",
        paper="arXiv:2501.14912",
        bibtex="""@inproceedings{ramirez2025feasible,
  title = {Feasible Learning},
  author = {Ramirez, Juan and Hounie, Ignacio and Elenter, Juan and {Gallego-Posada}, Jose and
    Hashemizadeh, Meraj and Ribeiro, Alejandro and {Lacoste-Julien}, Simon},
  booktitle = {AISTATS},
  year = {2025},
  eprint = {2501.14912},
  archivePrefix = {arXiv}
}""",
        claim="The worst losses fall at a small cost in mean accuracy; no claim about wrong "
        "labels, whose rows it weighs most.",
        official_code="ok",
        deviates="The batch's loss is divided by its mean multiplier, so that the task's learning "
        "rate keeps its meaning; the authors add up. The rate of the multipliers is theirs for 200 "
        "epochs. Rate, schedule and weight decay of the net are the task's.",
        stacked=True,
        defaults_from="paper",
        tuning={"bound": (0.0, 0.5108256237659907, 1.0), "resilience": (0.0, 1.0, 10.0)},
    )
    bound: Annotated[float, Meta(ge=0)] = 0.5108256237659907
    """What every row's cross entropy shall be below; log(1 / .6): the label has 60 %."""
    dual_lr: Annotated[float, Meta(gt=0)] = 1e-4
    """Learning rate of the multipliers."""
    resilience: Annotated[float, Meta(ge=0)] = 1.0
    """How much a multiplier may relax its bound; 0: not at all."""

    def start(self, seeds: Seeds) -> torch.Tensor:
        """Return the multipliers (K * N,), all zero."""
        return seeds.zeros(seeds.members * seeds.n_rows, dtype=seeds.problem.x.dtype)

    def loss(self, state: torch.Tensor, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Raise the multipliers of rows above their bound, lower the others; return losses times
        multipliers over their mean.
        """
        losses = cross_entropy(logits, batch.y)
        now = state[batch.flat]
        excess = losses.detach() - self.bound - self.resilience * now
        state[batch.flat] = (now + self.dual_lr * excess).clamp_min(0)
        weight = state[batch.flat]
        tiny = torch.finfo(weight.dtype).tiny
        return weight / weight.mean(-1, keepdim=True).clamp_min(tiny) * losses

    def finish(self, state: torch.Tensor, seeds: Seeds) -> list[dict[str, Any]]:
        """Trust a row less the larger its multiplier is."""
        return [{"clean_score": -row} for row in state.view(seeds.members, -1)]
