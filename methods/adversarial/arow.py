"""ARoW: anti-robust weighted regularisation (arXiv:2206.03353)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.adversarial import Attacks, Batch, Seeds, divergence, smoothed
from bench.training.nets import StackedNet

from .trades import Trades


class Arow(Trades):
    """Minimise the smoothed CE(z) + beta KL(p || p_adv) (1 - p_adv of y), so that rows that are
    less robust are regularised more (algorithm 1).
    """

    card: ClassVar = MethodCard(
        name="arow",
        title="ARoW",
        track="adversarial",
        paper="arXiv:2206.03353",
        bibtex="""@inproceedings{yang2023improving,
  title = {Improving Adversarial Robustness by Putting More Regularizations on Less Robust Samples},
  author = {Yang, Dongyoon and Kong, Insung and Kim, Yongdai},
  booktitle = {ICML},
  year = {2023},
  eprint = {2206.03353},
  archivePrefix = {arXiv}
}""",
        claim="More regularisation of less robust rows improves clean and robust accuracy above "
        "TRADES and MART.",
        official_code="ok",
        deviates="Steps, rate and schedule are the task's. The authors average weights in the last "
        "part of a training; here no method does. beta is that of the code, twice the paper's.",
        stacked=True,
        defaults_from="paper",
        tuning={"beta": (1.0, 3.0, 7.0, 10.0)},
    )
    beta: Annotated[float, Meta(ge=0)] = 7.0
    """Weight of the divergence."""
    smoothing: Annotated[float, Meta(ge=0, lt=1)] = 0.2
    """Share of the target that is spread over all classes."""

    def start(self, seeds: Seeds) -> Attacks:
        """Set up the streams of the attacks."""
        return Attacks(seeds)

    def attack(self, state: Attacks, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return rows whose outputs diverge from the clean ones, from a start in the ball."""
        return state.diverge(nets, batch, state.start(batch))

    def loss(self, state: Attacks, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Smoothed CE(z) + beta KL(p || p_adv) (1 - p_adv of y); the weight has a gradient too."""
        clean, attacked = logits
        weight = 1 - attacked.softmax(-1).gather(-1, batch.y[..., None])[..., 0]
        regular = divergence(clean, attacked) * weight
        return smoothed(clean, batch.y, self.smoothing) + self.beta * regular
