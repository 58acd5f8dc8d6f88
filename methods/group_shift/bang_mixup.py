"""Balanced averaging with mixup (arXiv:2309.17230)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import torch

from bench import Meta, MethodCard
from bench.tracks.group_shift import Batch, Seeds, cross_entropy
from bench.training.rows import beside

from ._finetune import Averaged, Ends


class _State(Ends):
    """The ends of fine-tuning, and weights and partners of the epoch at hand."""

    def __init__(self, seeds: Seeds, ends: Ends, alpha: float) -> None:
        self.start, self.between = ends.start, ends.between
        self.seeds, self.alpha = seeds, alpha
        self.weights = [run.numpy_generator("method", "weights") for run in seeds.runs]
        self.partners = [run.numpy_generator("method", "partners") for run in seeds.runs]
        self.draw()

    def draw(self) -> None:
        """Draw an epoch: a weight for each step, a partner order from random sort keys."""
        drawn = np.stack(
            [one.beta(self.alpha, self.alpha, self.seeds.steps) for one in self.weights]
        )
        keys = np.stack([one.random(self.seeds.n_rows) for one in self.partners])
        device, size = self.seeds.device, self.seeds.problem.batch_size
        self.lam = torch.from_numpy(drawn).float().to(device)
        self.keys = torch.from_numpy(keys).to(device).split(size, 1)

    def step(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the weight (K, 1) and the partners (K, B) of a step."""
        return self.lam[:, batch.step, None], self.keys[batch.step].argsort(-1)


class BalancedAveragingMixed(Averaged):
    """Fine-tune with mixup, so that the fine-tuned net is not too sure to be averaged."""

    card: ClassVar = MethodCard(
        name="bang-mixup",
        title="Balanced averaging (BANG) with mixup",
        track="group-shift",
        paper="arXiv:2309.17230",
        bibtex="""@inproceedings{lin2024spurious,
  title = {Spurious Feature Diversification Improves Out-of-distribution Generalization},
  author = {Lin, Yong and Tan, Lu and Hao, Yifan and Wong, Honam and Dong, Hanze and
    Zhang, Weizhong and Yang, Yujiu and Zhang, Tong},
  booktitle = {ICLR},
  year = {2024},
  eprint = {2309.17230},
  archivePrefix = {arXiv}
}""",
        claim="Nets that are averaged after fine-tuning with smoothed labels or mixup do better "
        "under shift than those of WiSE-FT, whose fine-tuned net is too sure of itself.",
        deviates="The strength of the mixing was not read in the paper. One weight a batch.",
        needs=("pretrained",),
        signal="features",
        stacked=True,
        defaults_from="here",
    )
    mix: Annotated[float, Meta(gt=0)] = 0.5
    """Both parameters of the Beta distribution of the weight."""

    def prepared(self, seeds: Seeds, ends: Ends) -> _State:
        """Set up the private streams."""
        return _State(seeds, ends, self.mix)

    def inputs(self, state: _State, batch: Batch) -> torch.Tensor:
        """Return lam x + (1 - lam) x of the partner."""
        lam, partner = state.step(batch)
        weight = lam.view(-1, *[1] * (batch.x.dim() - 1))
        return weight * batch.x + (1 - weight) * beside(batch.x, partner)

    def loss(self, state: _State, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Lam CE(y) + (1 - lam) CE(y of the partner)."""
        lam, partner = state.step(batch)
        other = cross_entropy(logits, batch.y.gather(1, partner))
        return lam * cross_entropy(logits, batch.y) + (1 - lam) * other

    def after_epoch(self, state: Any, epoch: int) -> None:
        """Draw the next epoch's weights and partners."""
        state.draw()
