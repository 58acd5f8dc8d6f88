"""Group distributionally robust optimisation (arXiv:1911.08731)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from bench import MethodCard
from bench.tracks.group_shift import Seeds

from ._worst import WorstGroup, WorstState


class GroupDRO(WorstGroup):
    """Weigh pairs of label and attribute by how badly they went so far."""

    card: ClassVar = MethodCard(
        name="groupdro",
        title="Group DRO",
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
        claim="With strong weight decay or early stopping the worst group gains 10 to 40 points; "
        "without, nothing is gained over the mean loss.",
        official_code="flawed",
        deviates="AdamW with decay 5 instead of SGD with an L2 penalty. The official code adds C "
        "only where it is above 0 for every group; here it enters q of each.",
        needs=("train-groups",),
        signal="groups",
        stacked=True,
        defaults_from="here",
        trials=3,
        tuning={"weight_decay": (0.1, 1.0, 2.0, 5.0), "adjust": (0.0, 1.0, 2.0, 4.0)},
    )
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {"adjusted": {"adjust": 2.0}}

    def start(self, seeds: Seeds) -> WorstState:
        """Begin with equal weights."""
        return WorstState(seeds, seeds.group, seeds.n_groups, self.balanced, self.adjust)
