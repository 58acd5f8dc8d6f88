"""mixup (arXiv:1710.09412)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import torch

from bench import Meta, MethodCard
from bench.tracks.group_shift import Batch, GroupMethod, Seeds, cross_entropy
from bench.training.rows import beside


class _State:
    """Each member's generators, and the weights and sort keys of the epoch at hand."""

    def __init__(self, seeds: Seeds, alpha: float) -> None:
        self.seeds, self.alpha = seeds, alpha
        self.generators = [run.numpy_generator("method", "mix") for run in seeds.runs]
        self.draw()

    def draw(self) -> None:
        """Draw an epoch: a weight for each step, partners from random sort keys."""
        steps, rows = self.seeds.steps, self.seeds.n_rows
        drawn = [
            (own.beta(self.alpha, self.alpha, steps), own.random(rows)) for own in self.generators
        ]
        device = self.seeds.device
        self.lam = torch.from_numpy(np.stack([lam for lam, _ in drawn])).float().to(device)
        keys = torch.from_numpy(np.stack([key for _, key in drawn])).to(device)
        self.keys = keys.split(self.seeds.problem.batch_size, 1)

    def step(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the weight (K, 1) and the partners (K, B) of a step."""
        return self.lam[:, batch.step, None], self.keys[batch.step].argsort(-1)


class Mixup(GroupMethod):
    """Train on convex combinations of two rows and of their losses."""

    card: ClassVar = MethodCard(
        name="mixup",
        title="mixup",
        track="group-shift",
        paper="arXiv:1710.09412",
        bibtex="""@inproceedings{zhang2018mixup,
  title = {mixup: Beyond Empirical Risk Minimization},
  author = {Zhang, Hongyi and Cisse, Moustapha and Dauphin, Yann N. and Lopez-Paz, David},
  booktitle = {ICLR},
  year = {2018},
  eprint = {1710.09412},
  archivePrefix = {arXiv}
}""",
        claim="Convex mixtures of rows lower the error and the memorisation of wrong labels.",
        official_code="ok",
        deviates="AdamW and weight decay of the task.",
        signal="none",
        stacked=True,
        defaults_from="paper",
        tuning={"alpha": (0.1, 0.2, 0.4, 1.0)},
    )
    alpha: Annotated[float, Meta(gt=0)] = 0.2
    """Both parameters of the Beta distribution of the weight; one weight a batch."""

    def start(self, seeds: Seeds) -> _State:
        """Set up the private stream."""
        return _State(seeds, self.alpha)

    def inputs(self, state: _State, batch: Batch) -> torch.Tensor:
        """Return lam x + (1 - lam) x of the partner."""
        lam, partner = state.step(batch)
        weight = lam.view(-1, *[1] * (batch.x.dim() - 1))
        return weight * batch.x + (1 - weight) * beside(batch.x, partner)

    def loss(self, state: _State, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Lam CE(y) + (1 - lam) CE(y of the partner)."""
        lam, partner = state.step(batch)
        return lam * cross_entropy(logits, batch.y) + (1 - lam) * cross_entropy(
            logits, batch.y.gather(1, partner)
        )

    def after_epoch(self, state: Any, epoch: int) -> None:
        """Draw the next epoch's weights and partners."""
        state.draw()
