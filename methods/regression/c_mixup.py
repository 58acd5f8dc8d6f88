"""C-Mixup (arXiv:2210.05775)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.regression import NeighbourMixing, Seeds


class CMixup(NeighbourMixing):
    """Mix each row with one of a similar target, drawn with probability proportional to
    exp(-(y_i - y_j)^2 / 2 h^2) (equation 6).
    """

    card: ClassVar = MethodCard(
        name="c-mixup",
        title="C-Mixup",
        track="regression",
        paper="arXiv:2210.05775",
        bibtex="""@inproceedings{yao2022cmixup,
  title = {C-Mixup: Improving Generalization in Regression},
  author = {Yao, Huaxiu and Wang, Yiping and Zhang, Linjun and Zou, James and Finn, Chelsea},
  booktitle = {NeurIPS},
  year = {2022},
  eprint = {2210.05775},
  archivePrefix = {arXiv}
}""",
        claim="Mixing rows of similar targets generalises better than mixing any two rows, within "
        "a distribution and beyond it.",
        official_code="ok",
        deviates="The bandwidth is in standard deviations of the target, not in its unit; a row "
        "may be its own partner, as in the authors' code.",
        signal="labels",
        stacked=True,
        defaults_from="here",
        trials=3,
        tuning={"width": (0.1, 0.3, 1.0), "alpha": (0.2, 1.0, 2.0)},
    )
    width: Annotated[float, Meta(gt=0)] = 0.3
    """Bandwidth h of the kernel over targets, in their standard deviations."""
    alpha: Annotated[float, Meta(ge=0)] = 2.0
    """Both parameters of the Beta distribution of the weight; 0: the rows as they are."""

    @property
    def concentration(self) -> float:
        """Return alpha."""
        return self.alpha

    def likely(self, seeds: Seeds) -> torch.Tensor:
        """Return the kernel of all pairs of targets (K, N, N)."""
        y = seeds.y.double()
        return ((y[:, :, None] - y[:, None]).square() / (-2 * self.width**2)).exp()
