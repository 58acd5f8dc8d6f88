"""NegGrad+: down on the rows that stay, up on the rows to forget."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, MethodCard
from bench.tracks.unlearning import Group, Nets, UnlearningMethod, step


class NegGradPlus(UnlearningMethod):
    """Minimise alpha CE(R batch) - (1 - alpha) CE(S batch)."""

    card: ClassVar = MethodCard(
        name="neggrad-plus",
        title="NegGrad+",
        track="unlearning",
        paper="arXiv:2302.09880",
        bibtex="""@inproceedings{kurmanji2023towards,
  title = {Towards Unbounded Machine Unlearning},
  author = {Kurmanji, Meghdad and Triantafillou, Peter and Hayes, Jamie and Triantafillou, Eleni},
  booktitle = {NeurIPS},
  year = {2023},
  eprint = {2302.09880},
  archivePrefix = {arXiv}
}""",
        deviates="Defaults are this project's small-data values.",
        stacked=True,
    )
    alpha: Annotated[float, Meta(ge=0, le=1)] = 0.95
    """Weight of the rows that stay; 1 is fine-tuning."""
    lr: Annotated[float, Meta(gt=0)] = 0.05
    """Learning rate, constant."""
    epochs: Annotated[int, Meta(ge=0)] = 10
    """Passes over R."""

    def unlearn(self, group: Group) -> Nets:
        """Fine-tune on R, with a batch of S beside every batch."""
        nets = group.originals()
        retain, forget = group.rows(group.retain, "retain"), group.rows(group.forget, "forget").forever()
        optimiser = group.sgd(nets, self.lr)
        for _ in group.epochs(self.epochs):
            for batch in retain.epoch():
                losses = self.alpha * group.loss(nets(batch.x), batch.y)
                if self.alpha < 1:
                    other = next(forget)
                    losses = losses - (1 - self.alpha) * group.loss(nets(other.x), other.y).mean(-1, keepdim=True)
                step(optimiser, losses)
        return nets
