"""mixup (arXiv:1710.09412)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import torch

from bench import Meta, MethodCard
from bench.tracks.noisy_labels import Batch, NoisyLabelMethod, Seeds, cross_entropy
from bench.training.rows import beside


class _State:
    """Each member's generators and the weights and partners of the epoch at hand."""

    def __init__(self, seeds: Seeds, alpha: float) -> None:
        self.seeds, self.alpha = seeds, alpha
        self.weights = [run.numpy_generator("method", "weights") for run in seeds.runs]
        self.partners = [run.numpy_generator("method", "partners") for run in seeds.runs]
        self.draw()

    def draw(self) -> None:
        """Draw an epoch: a weight for each step, a partner order from random sort keys."""
        drawn = np.stack(
            [generator.beta(self.alpha, self.alpha, self.seeds.steps) for generator in self.weights]
        )
        keys = np.stack([generator.random(self.seeds.n_rows) for generator in self.partners])
        self.lam = torch.from_numpy(drawn).float().to(self.seeds.device)
        self.keys = (
            torch.from_numpy(keys).to(self.seeds.device).split(self.seeds.problem.batch_size, 1)
        )

    def step(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the weight (K, 1) and the partners (K, B) of a step."""
        return self.lam[:, batch.step, None], self.keys[batch.step].argsort(-1)


class Mixup(NoisyLabelMethod):
    """Train on convex combinations of two rows and of their losses."""

    card: ClassVar = MethodCard(
        name="mixup",
        title="mixup",
        track="noisy-labels",
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
        "training on the rows themselves.",
        official_code="ok",
        deviates="Rate, schedule and weight decay are the task's.",
        stacked=True,
        defaults_from="paper",
        tuning={"alpha": (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)},
    )
    alpha: Annotated[float, Meta(gt=0)] = 1.0
    """Both parameters of the Beta distribution of the weight; one weight a batch."""

    def start(self, seeds: Seeds) -> _State:
        """Set up the private streams."""
        return _State(seeds, self.alpha)

    def inputs(self, state: _State, batch: Batch) -> torch.Tensor:
        """Return lam x + (1 - lam) x of the partner."""
        lam, partner = state.step(batch)
        other = beside(batch.x, partner)
        weight = lam.view(-1, *[1] * (batch.x.dim() - 1))
        return weight * batch.x + (1 - weight) * other

    def loss(self, state: _State, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Lam CE(y) + (1 - lam) CE(y of the partner)."""
        lam, partner = state.step(batch)
        return lam * cross_entropy(logits, batch.y) + (1 - lam) * cross_entropy(
            logits, batch.y.gather(1, partner)
        )

    def after_epoch(self, state: Any, epoch: int) -> None:
        """Draw the next epoch's weights and partners."""
        state.draw()
