"""mixup with a near row (arXiv:1710.09412, with partners among the nearest)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.regression import NeighbourMixing, Seeds, nearest


class KnnMixup(NeighbourMixing):
    """Mix each row with one of its nearest rows in the inputs, each as likely as another."""

    card: ClassVar = MethodCard(
        name="knn-mixup",
        title="mixup with one of the nearest rows",
        track="regression",
        paper="arXiv:1710.09412",
        bibtex="""@inproceedings{zhang2018mixup,
  title = {mixup: Beyond Empirical Risk Minimization},
  author = {Zhang, Hongyi and Cisse, Moustapha and Dauphin, Yann N. and Lopez-Paz, David},
  booktitle = {ICLR},
  year = {2018},
  eprint = {1710.09412},
  archivePrefix = {arXiv}
}""",
        claim="Training on mixtures of rows generalises better; no claim about near ones, which "
        "the paper tried and found to help less than any two rows.",
        deviates="Partners are near rows; the paper's are any.",
        signal="features",
        stacked=True,
        defaults_from="here",
        trials=3,
        tuning={"k": (1, 4, 16), "alpha": (0.2, 1.0, 2.0)},
    )
    k: Annotated[int, Meta(ge=0)] = 4
    """Neighbours among which a partner is drawn; 0: the row itself, which is plain training."""
    alpha: Annotated[float, Meta(ge=0)] = 2.0
    """Both parameters of the Beta distribution of the weight; 0: the rows as they are."""

    @property
    def concentration(self) -> float:
        """Return alpha."""
        return self.alpha

    def likely(self, seeds: Seeds) -> torch.Tensor:
        """Return 1 for the nearest rows (K, N, N)."""
        return nearest(seeds, self.k)
