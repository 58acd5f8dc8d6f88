"""mixup (arXiv:1710.09412)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.training.recipe import (
    Batch,
    Recipe,
    Seeds,
    drawn_beta,
    drawn_orders,
    soft,
    streams,
)
from bench.training.rows import beside


class _State:
    """Each member's generators, and the weights and partners of the epoch at hand."""

    def __init__(self, seeds: Seeds) -> None:
        self.seeds = seeds
        self.weights, self.partners = streams(seeds.runs, "weights"), streams(seeds.runs, "pairs")


class Mixup(Recipe):
    """Train on convex combinations of two rows and of their targets."""

    card: ClassVar = MethodCard(
        name="mixup",
        title="mixup",
        track=("recipes", "long-tail", "regression"),
        paper="arXiv:1710.09412",
        bibtex="""@inproceedings{zhang2018mixup,
  title = {mixup: Beyond Empirical Risk Minimization},
  author = {Zhang, Hongyi and Cisse, Moustapha and Dauphin, Yann N. and Lopez-Paz, David},
  booktitle = {ICLR},
  year = {2018},
  eprint = {1710.09412},
  archivePrefix = {arXiv}
}""",
        claim="Training on convex mixtures of rows generalises better than training on the rows.",
        official_code="ok",
        deviates="Rate, schedule and weight decay are the task's; there is no augmentation beside "
        "it.",
        signal="none",
        stacked=True,
        defaults_from="paper",
        tuning={"alpha": (0.2, 0.5, 1.0, 2.0, 4.0)},
    )
    settings: ClassVar = {"imagenet": {"alpha": 0.2}}
    alpha: Annotated[float, Meta(ge=0)] = 1.0
    """Both parameters of the Beta distribution of the weight, one weight a batch; 0: the rows as
    they are.
    """

    def start(self, seeds: Seeds) -> _State:
        """Set up the private streams."""
        return _State(seeds)

    def draw(self, state: _State, epoch: int) -> None:
        """Draw a weight for each step (K, steps), and partners."""
        seeds = state.seeds
        state.lam = drawn_beta(state.weights, self.alpha, seeds.steps, seeds.device)
        state.pairs = drawn_orders(
            state.partners, seeds.drawn, seeds.problem.batch_size, seeds.device
        )

    def inputs(self, state: _State, batch: Batch) -> torch.Tensor:
        """Return lam x + (1 - lam) x of the partner."""
        return self.mixed(state, batch, batch.x)

    def targets(self, state: _State, batch: Batch) -> torch.Tensor:
        """Return lam y + (1 - lam) y of the partner."""
        return self.mixed(state, batch, soft(state.seeds, batch.y))

    def mixed(self, state: _State, batch: Batch, values: torch.Tensor) -> torch.Tensor:
        """Return mixtures of the batch's values (K, B, ...)."""
        lam = state.lam[:, batch.step].view(-1, *[1] * (values.dim() - 1))
        return lam * values + (1 - lam) * beside(values, state.pairs[batch.step])
