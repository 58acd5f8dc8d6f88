"""NegGrad+ (arXiv:2302.09880): down on the rows that stay, up on the rows to forget."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.unlearning import Batch, Group, Nets, UnlearningMethod, clip


class NegGradPlus(UnlearningMethod):
    """Minimise alpha CE(R batch) - (1 - alpha) CE(S batch)."""

    card: ClassVar = MethodCard(
        name="neggrad-plus",
        title="NegGrad+",
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
        deviates="Defaults are this project's small-data values, with a falling rate; gradients "
        "are clipped, since the loss has no lower bound.",
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"alpha": (0.95, 0.99, 0.999), "lr": (0.04, 0.08, 0.16)},
    )
    alpha: Annotated[float, Meta(ge=0, le=1)] = 0.99
    """Weight of the rows that stay; 1 is fine-tuning."""
    lr: Annotated[float, Meta(gt=0)] = 0.08
    """Learning rate at the start."""
    falling: bool = True
    """The rate falls to 0 along a half cosine; else it is constant."""
    clip: Annotated[float, Meta(gt=0)] = 5.0
    """Largest norm of a gradient."""
    epochs: Annotated[int, Meta(ge=0)] = 10
    """Passes over R."""

    def unlearn(self, group: Group) -> Nets:
        """Fine-tune on R, with a batch of S beside every batch."""
        nets = group.originals()
        retain, forget = (
            group.rows(group.retain, "retain"),
            group.rows(group.forget, "forget").forever(),
        )
        optimiser = group.sgd(nets, self.lr)
        # BatchNorm, which has buffers, takes the mean of each batch by itself
        together = not list(nets.buffers())
        for _, batch in group.walk(retain, optimiser, self.epochs, self.falling):
            other = next(forget) if self.alpha < 1 else None
            optimiser.zero_grad(set_to_none=True)
            self.descend(group, nets, batch, other, together)
            clip(nets, self.clip)
            optimiser.step()
        return nets

    def descend(
        self, group: Group, nets: Nets, batch: Batch, other: Batch | None, together: bool
    ) -> None:
        """Take the gradient of alpha times the mean loss of R's batch less 1 - alpha times that of
        S's, with both in one pass of the nets if ``together``.
        """
        parts = [batch] if other is None else [batch, other]
        shares = [
            part.x.new_full(part.y.shape, weight / part.y.shape[1])
            for part, weight in zip(parts, (self.alpha, self.alpha - 1), strict=False)
        ]
        if together:
            x, y = (
                torch.cat([part.x for part in parts], 1),
                torch.cat([part.y for part in parts], 1),
            )
            group.loss(nets(x), y).backward(torch.cat(shares, 1))
        else:
            losses = [group.loss(nets(part.x), part.y) for part in parts]
            torch.autograd.backward(losses, shares)
