"""AAER: regularisation of abnormal adversarial examples (arXiv:2404.08154)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.adversarial import AdversarialMethod, Attacks, Batch
from bench.training import attacks
from bench.training.nets import StackedNet
from bench.training.recipe import cross_entropy


class Aaer(AdversarialMethod):
    """Train on single steps from strong noise, and hold back rows whose loss falls in that step
    (equation 8).
    """

    card: ClassVar = MethodCard(
        name="aaer",
        title="AAER",
        track="adversarial",
        paper="arXiv:2404.08154",
        bibtex="""@inproceedings{lin2023eliminating,
  title = {Eliminating Catastrophic Overfitting Via Abnormal Adversarial Examples Regularization},
  author = {Lin, Runqi and Yu, Chaojian and Liu, Tongliang},
  booktitle = {NeurIPS},
  year = {2023},
  eprint = {2404.08154},
  archivePrefix = {arXiv}
}""",
        claim="Rows whose loss an attack lowers announce a collapse; regularising their number "
        "and their outputs prevents it at almost no cost.",
        official_code="flawed",
        deviates="The step grows over the first third of the epochs, as in the authors' code. "
        "There the term of the losses is built from detached values and has no gradient; here the "
        "loss after the step has one.",
        stacked=True,
        defaults_from="paper",
        tuning={"lam1": (0.3, 1.0, 3.0), "lam3": (0.5, 1.5, 4.0)},
    )
    lam1: Annotated[float, Meta(ge=0)] = 1.0
    """Weight of both terms, times the share of abnormal rows."""
    lam2: Annotated[float, Meta(ge=0)] = 4.0
    """Weight of the fall of the abnormal rows' losses."""
    lam3: Annotated[float, Meta(ge=0)] = 1.5
    """Weight of the change of the abnormal rows' logits beyond that of the others."""
    noise: Annotated[float, Meta(ge=0)] = 2.0
    """Half of the range of the noise, in radii."""
    ramp: Annotated[float, Meta(ge=0, le=1)] = 0.333
    """Share of the epochs in which the step grows from 0 to the radius."""

    def forward(self, state: Attacks, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the logits of the noisy rows, without gradient, and of the attacked ones, (2, K,
        B, C).
        """
        problem = state.seeds.problem
        done = batch.epoch + batch.step / state.seeds.steps
        grown = min(1.0, done / (self.ramp * problem.epochs)) if self.ramp else 1.0
        start = state.start(batch, self.noise * state.ball.eps)
        state.seeds.count(forward=batch.y.shape[1], backward=batch.y.shape[1])
        with attacks.frozen(nets):
            _, gradient, before = attacks.slope(nets, attacks.cross_entropy(batch.y), start)
        attacked = (start + grown * state.ball.eps * gradient.sign()).clamp(0, 1)
        return torch.stack([before, nets(attacked)])

    def loss(self, state: Attacks, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """CE(z_adv) + lam1 share (lam2 mean of the falls + lam3 max(V_abnormal - V_normal, 0)); CE
        alone where all rows of a batch are abnormal.
        """
        first, last = (cross_entropy(one, batch.y) for one in logits)
        abnormal = (first > last).to(last)
        share = abnormal.mean(1, keepdim=True)
        change = (logits[0] - logits[1]).square().sum(-1)
        falls = _mean(first - last, abnormal)
        excess = _mean(change, abnormal) - _mean(change, 1 - abnormal).detach()
        extra = self.lam2 * falls + self.lam3 * excess.clamp_min(0)
        return last + self.lam1 * share * (share < 1) * extra


def _mean(values: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return the mean (K, 1) of the values (K, B) of some rows (K, B); 0 of none."""
    return (values * rows).sum(1, keepdim=True) / rows.sum(1, keepdim=True).clamp_min(1)
