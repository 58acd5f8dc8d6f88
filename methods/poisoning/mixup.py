"""mixup (arXiv:1710.09412)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.poisoning import Batch, PoisoningMethod, Seeds
from bench.training.mixing import Mixtures
from bench.training.recipe import soft


class Mixup(PoisoningMethod):
    """Train on lam x + (1 - lam) x' with the targets lam y + (1 - lam) y', lam ~ Beta(alpha, alpha)
    (equation 1).
    """

    card: ClassVar = MethodCard(
        name="mixup",
        title="mixup",
        track="poisoning",
        paper="arXiv:1710.09412",
        bibtex="""@inproceedings{zhang2018mixup,
  title = {mixup: Beyond Empirical Risk Minimization},
  author = {Zhang, Hongyi and Cisse, Moustapha and Dauphin, Yann N. and Lopez-Paz, David},
  booktitle = {ICLR},
  year = {2018},
  eprint = {1710.09412},
  archivePrefix = {arXiv}
}""",
        claim="Convex mixtures of rows lower the memorisation of wrong labels and end above "
        "training on the rows themselves; no claim about unlearnable rows.",
        official_code="ok",
        deviates="Rate, schedule and weight decay are the task's.",
        signal="none",
        stacked=True,
        defaults_from="paper",
    )
    alpha: Annotated[float, Meta(ge=0)] = 1.0
    """Both parameters of the Beta distribution of the weight, one weight a batch; 0: the rows as
    they are.
    """

    def start(self, seeds: Seeds) -> Mixtures:
        """Set up the private streams."""
        return Mixtures(seeds)

    def draw(self, state: Any, epoch: int) -> None:
        """Draw the epoch's weights and partners."""
        state.draw(self.alpha)

    def inputs(self, state: Mixtures, batch: Batch) -> torch.Tensor:
        """Return mixed rows (K, B, ...)."""
        return state.mixed(batch, batch.x)

    def targets(self, state: Mixtures, batch: Batch) -> torch.Tensor:
        """Return mixed one-hot labels (K, B, C)."""
        return state.mixed(batch, soft(state.seeds, batch.y))
