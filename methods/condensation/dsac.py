"""Contrastive signals under siamese augmentation (arXiv:2202.02916)."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard

from .dcc import ContrastiveMatching


class SiameseContrastiveMatching(ContrastiveMatching):
    """DCC's loss under DSA's augmentation, drawn once a class and step for
    real and synthetic images alike.
    """

    card: ClassVar = MethodCard(
        name="dsac",
        title="Contrastive signals with siamese augmentation",
        track="condensation",
        paper="arXiv:2202.02916",
        bibtex="""@inproceedings{lee2022dataset,
  title = {Dataset Condensation with Contrastive Signals},
  author = {Lee, Saehyung and Chun, Sanghyuk and Jung, Sangwon and Yun, Sangdoo and Yoon, Sungroh},
  booktitle = {ICML},
  year = {2022},
  eprint = {2202.02916},
  archivePrefix = {arXiv}
}""",
        claim="The contrastive signal improves on siamese augmentation too.",
        official_code="ok",
        deviates="As dcc. The evaluation that ranks does not augment; acc_aug is of one that does.",
        defaults_from="paper",
        tuning={"lr_img": (0.03, 0.1, 0.3, 1.0), "mom_img": (0.5, 0.9)},
    )
    augmented: ClassVar[bool] = True
