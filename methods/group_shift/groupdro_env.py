"""Group DRO over environments (arXiv:1911.08731)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, MethodCard
from bench.tracks.group_shift import Seeds

from ._worst import WorstGroup, WorstState


class EnvironmentDRO(WorstGroup):
    """Weigh environments by how badly they went so far."""

    card: ClassVar = MethodCard(
        name="groupdro-env",
        title="Group DRO over environments",
        track="group-shift",
        paper="arXiv:1911.08731",
        bibtex="""@inproceedings{sagawa2020groupdro,
  title = {Distributionally Robust Neural Networks for Group Shifts: On the Importance of
    Regularization for Worst-Case Generalization},
  author = {Sagawa, Shiori and Koh, Pang Wei and Hashimoto, Tatsunori B. and Liang, Percy},
  booktitle = {ICLR},
  year = {2020},
  eprint = {1911.08731},
  archivePrefix = {arXiv}
}""",
        claim="The worst group gains where regularisation is strong; the paper's groups are pairs "
        "of label and attribute.",
        official_code="flawed",
        deviates="Groups are environments, as in DomainBed. The task's weight decay holds. The "
        "step size .01 is for thousands of updates; in a few hundred the weights hardly move.",
        needs=("env",),
        signal="env",
        stacked=True,
        defaults_from="here",
        tuning={"eta": (0.01, 0.1, 1.0)},
    )
    weight_decay: Annotated[float, Meta(ge=0)] | None = None
    """Decoupled weight decay in place of the task's; None: the task's."""

    def start(self, seeds: Seeds) -> WorstState:
        """Begin with equal weights."""
        env = seeds.env
        return WorstState(seeds, env, int(env.max()) + 1, self.balanced, self.adjust)
