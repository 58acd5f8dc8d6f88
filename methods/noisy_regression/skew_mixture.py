"""The likelihood of targets that are right or too low."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.noisy_regression import Batch, Recipe, Seeds, gaps
from bench.training import optimisers
from bench.training.stack import StackedNet


class _Noise:
    """What is learned of the noise of each member: log tau, log a and the logit of p, (K, 3)."""

    def __init__(self, seeds: Seeds, tau: float, a: float, p: float) -> None:
        start = torch.tensor([math.log(tau), math.log(a), math.log(p / (1 - p))])
        self.raw = start.to(seeds.device).repeat(seeds.members, 1).requires_grad_()
        self.optimiser = optimisers.adam([self.raw], seeds.problem.lr)


class SkewMixture(Recipe):
    """A target is right up to normal noise, or too low by the size of a normal number besides; the
    net, the sizes of both and the share of the low ones are learned by their likelihood.
    """

    card: ClassVar = MethodCard(
        name="skew-mixture",
        title="Mixture of a normal and a skew normal law",
        track="noisy-regression",
        bibtex="""@article{azzalini1985class,
  title = {A Class of Distributions which Includes the Normal Ones},
  author = {Azzalini, Adelchi},
  journal = {Scandinavian Journal of Statistics},
  volume = {12},
  number = {2},
  pages = {171--178},
  year = {1985}
}""",
        deviates="A method of this project, by the law of the noise that the tasks draw; the entry "
        "names the skew normal law.",
        stacked=True,
        defaults_from="here",
    )
    tau: Annotated[float, Meta(ge=1e-3, le=1e3)] = 0.5
    """Size of the normal noise at the start, in standard deviations of the targets."""
    a: Annotated[float, Meta(ge=1e-3, le=1e3)] = 0.5
    """Size of what is missing at the start, in standard deviations of the targets."""
    p: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    """Share of low targets at the start."""

    def start(self, seeds: Seeds) -> _Noise:
        """Set up the parameters of the noise."""
        return _Noise(seeds, self.tau, self.a, self.p)

    def loss(self, state: _Noise, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """-log of the density of d = y - f (K, B)."""
        return -log_density(gaps(batch, logits), *state.raw[..., None].unbind(1))

    def before_step(self, state: _Noise, nets: StackedNet, batch: Batch) -> None:
        """Move the parameters of the noise by their gradients."""
        state.optimiser.step()
        state.optimiser.zero_grad(set_to_none=True)

    def finish(self, state: _Noise, seeds: Seeds) -> list[dict[str, Any]]:
        """Log what was learned of the noise."""
        found = torch.cat([state.raw[:, :2].exp(), state.raw[:, 2:].sigmoid()], 1).tolist()
        for run, (tau, a, p) in zip(seeds.runs, found, strict=True):
            run.log(seeds.problem.epochs, tau=tau, a=a, p=p)
        return [{} for _ in seeds.runs]


def log_density(
    d: torch.Tensor, log_tau: torch.Tensor, log_a: torch.Tensor, logit: torch.Tensor
) -> torch.Tensor:
    """Return log[(1 - p) N(d; 0, tau^2) + p 2/omega phi(d/omega) Phi(-(a/tau) d/omega)], with
    omega^2 = tau^2 + a^2: the law of tau e - a |e'|, or of tau e alone, for normal e and e'.
    """
    tau, a = log_tau.exp(), log_a.exp()
    omega = (tau.square() + a.square()).sqrt()
    right = -0.5 * (d / tau).square() - log_tau
    low = -0.5 * (d / omega).square() - omega.log() + math.log(2)
    low = low + torch.special.log_ndtr(-a / tau * d / omega)
    share = torch.nn.functional.logsigmoid
    both = torch.logaddexp(share(-logit) + right, share(logit) + low)
    found: torch.Tensor = both - 0.5 * math.log(2 * math.pi)
    return found
