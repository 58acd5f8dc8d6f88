"""CutMix (arXiv:1905.04899)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.training.mixing import Mixing
from bench.training.recipe import Batch, Seeds

from ._boxes import Boxes
from ._pictures import checked


class CutMix(Mixing):
    """Paste a rectangle of another picture, and weigh the labels by the areas (equation 1)."""

    card: ClassVar = MethodCard(
        name="cutmix",
        title="CutMix",
        track=("recipes", "long-tail"),
        paper="arXiv:1905.04899",
        bibtex="""@inproceedings{yun2019cutmix,
  title = {CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features},
  author = {Yun, Sangdoo and Han, Dongyoon and Oh, Seong Joon and Chun, Sanghyuk and Choe, Junsuk
    and Yoo, Youngjoon},
  booktitle = {ICCV},
  year = {2019},
  eprint = {1905.04899},
  archivePrefix = {arXiv}
}""",
        claim="A pasted patch makes a net look at all of a picture, and is better than a black one "
        "and than blends.",
        deviates="Every batch is mixed; rate and schedule are the task's.",
        signal="none; the corruption occlude is like it",
        inputs="pictures",
        stacked=True,
        defaults_from="paper",
        tuning={"alpha": (0.2, 0.5, 1.0, 2.0)},
    )
    alpha: Annotated[float, Meta(gt=0)] = 1.0
    """Both parameters of the Beta distribution of the share that is kept."""

    @property
    def concentration(self) -> float:
        """Return alpha."""
        return self.alpha

    def start(self, seeds: Seeds) -> Boxes:
        """Set up the private streams."""
        checked(self, seeds)
        return Boxes(seeds)

    def inputs(self, state: Boxes, batch: Batch) -> torch.Tensor:
        """Return the pictures with a rectangle of their partner's."""
        return state.pasted(batch, batch.x)
