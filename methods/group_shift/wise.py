"""WiSE-FT (arXiv:2109.01903)."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard

from ._finetune import Averaged


class WeightSpaceEnsemble(Averaged):
    """Average the weights before and after fine-tuning."""

    card: ClassVar = MethodCard(
        name="wise",
        title="Weights averaged before and after fine-tuning (WiSE-FT)",
        track="group-shift",
        paper="arXiv:2109.01903",
        bibtex="""@inproceedings{wortsman2022robust,
  title = {Robust fine-tuning of zero-shot models},
  author = {Wortsman, Mitchell and Ilharco, Gabriel and Kim, Jong Wook and Li, Mike and
    Kornblith, Simon and Roelofs, Rebecca and Gontijo-Lopes, Raphael and Hajishirzi, Hannaneh and
    Farhadi, Ali and Namkoong, Hongseok and Schmidt, Ludwig},
  booktitle = {CVPR},
  year = {2022},
  eprint = {2109.01903},
  archivePrefix = {arXiv}
}""",
        claim="Averaged weights are more accurate under shift than fine-tuned ones, and no worse "
        "where there is none.",
        deviates="The start is a trained body with a linear head fitted to the task, since the "
        "trained net has no zero-shot head for it.",
        needs=("pretrained",),
        signal="features",
        stacked=True,
        defaults_from="paper",
    )
