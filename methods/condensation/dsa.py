"""Gradient matching with differentiable siamese augmentation (arXiv:2102.08259)."""

from __future__ import annotations

from typing import Any, ClassVar

from bench import MethodCard
from bench.tracks.condensation_matching import GradientMatching


class SiameseMatching(GradientMatching):
    """DC under augmentation: one draw a class and step changes the real
    and the synthetic batch alike.
    """

    card: ClassVar = MethodCard(
        name="dsa",
        title="Gradient matching with differentiable siamese augmentation",
        track="condensation",
        paper="arXiv:2102.08259",
        bibtex="""@inproceedings{zhao2021differentiable,
  title = {Dataset Condensation with Differentiable Siamese Augmentation},
  author = {Zhao, Bo and Bilen, Hakan},
  booktitle = {ICML},
  year = {2021},
  eprint = {2102.08259},
  archivePrefix = {arXiv}
}""",
        claim="Augmenting both sides alike lets the images be trained with augmentation, and "
        "improves on gradient matching.",
        official_code="ok",
        deviates="The evaluation that ranks does not augment; acc_aug is the one that does. Loops "
        "and real batch are the task's, as of dc.",
        defaults_from="paper",
        tuning={"lr_img": (0.03, 0.1, 0.3, 1.0), "mom_img": (0.5, 0.9)},
    )
    settings: ClassVar[dict[str, dict[str, Any]]] = {
        "paper-ipc1": {"outer": 1000, "inner": 1, "net_epochs": 1},
        "paper-ipc10": {"outer": 1000, "inner": 10, "net_epochs": 50},
        "paper-ipc50": {"outer": 1000, "inner": 50, "net_epochs": 10},
    }
    augmented: ClassVar[bool] = True
