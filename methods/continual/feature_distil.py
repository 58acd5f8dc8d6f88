"""Features of new rows are held where they were (arXiv:2203.17269)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.continual import Chunk

from ._teacher import Distiller, Teacher


class FeatureDistillation(Distiller):
    """Add alpha |f - f_old|^2 for the features f of the new rows."""

    card: ClassVar = MethodCard(
        name="feature-distil",
        title="Distillation of features",
        track="continual",
        paper="arXiv:2203.17269",
        bibtex="""@article{smith2022closer,
  title = {A Closer Look at Rehearsal-Free Continual Learning},
  author = {Smith, James Seale and Tian, Junjiao and Halbe, Shaunak and Hsu, Yen-Chang and
            Kira, Zsolt},
  journal = {arXiv preprint},
  year = {2022},
  eprint = {2203.17269},
  archivePrefix = {arXiv}
}""",
        claim="Of what regularises features or predictions without stored rows, distilling "
        "predictions does more than distilling features.",
        deviates="Only the abstract was read: the distance is the squared one, over the last "
        "hidden layer.",
        signal="dynamics",
        needs=("task-id",),
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"alpha": (0.1, 1.0, 10.0)},
    )
    alpha: Annotated[float, Meta(ge=0)] = 1.0
    """Weight of the distance."""

    def distil(
        self, state: Teacher, batch: Chunk, logits: torch.Tensor, features: torch.Tensor
    ) -> torch.Tensor:
        """Return alpha |f - f_old|^2 (K, B)."""
        return self.alpha * (state.features - features).square().sum(2)
