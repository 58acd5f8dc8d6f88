"""Domain-adversarial training (arXiv:1505.07818): features from which a discriminator cannot tell
the environment.
"""

from __future__ import annotations

from typing import Annotated, Any

import torch

from bench import Meta
from bench.tracks.group_shift import Batch, GroupMethod, Seeds, cross_entropy
from bench.training import optimisers
from bench.training.nets import StackedNet
from bench.training.stack import affine


class Discriminator:
    """A linear layer on the features of every member, with an optimiser of its own, and the
    environments of the rows (K, N).
    """

    def __init__(self, seeds: Seeds, lr: float) -> None:
        self.env, self.total = seeds.env, seeds.problem.epochs * seeds.steps
        self.steps, self.envs = seeds.steps, int(seeds.env.max()) + 1
        with torch.no_grad():
            first = torch.zeros(seeds.members, 1, dtype=torch.int64, device=seeds.device)
            width = seeds.nets.features(seeds.inputs(first)).shape[2]
        drawn = []
        for run in seeds.runs:
            with run.seeded("init", "discriminator"):
                drawn.append(torch.empty(self.envs, width).uniform_(-(width**-0.5), width**-0.5))
        self.weight = torch.stack(drawn).to(seeds.device).requires_grad_()
        self.bias = seeds.zeros(seeds.members, 1, self.envs).requires_grad_()
        self.optimiser = optimisers.adam([self.weight, self.bias], lr)


def soft_entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the cross entropy (K, B) of logits and probabilities (K, B, M)."""
    return -(target * logits.log_softmax(-1)).sum(-1)


def smoothed(env: torch.Tensor, envs: int, share: float) -> torch.Tensor:
    """Return targets (K, B, M) of environments (K, B): 1 - share for the true one, share / (M - 1)
    for each other.
    """
    true = torch.nn.functional.one_hot(env, envs).float()
    return (1 - share) * true + share / max(1, envs - 1) * (1 - true)


class Adversarial(GroupMethod):
    """Fit the labels, and against a discriminator of environments."""

    weight: Annotated[float, Meta(ge=0)] = 0.5
    """Weight of the discriminator's loss, which the features shall raise."""
    disc_lr: Annotated[float, Meta(gt=0)] = 1e-3
    """Learning rate of the discriminator's Adam."""

    def start(self, seeds: Any) -> Discriminator:
        """Draw the discriminator."""
        return Discriminator(seeds, self.disc_lr)

    def smoothing(self, envs: int, progress: float) -> float:
        """Return the share of the target that other environments get, by the share of all steps
        that are done, in [0, 1).
        """
        return 0.0

    def step(
        self, state: Any, nets: StackedNet, optimiser: torch.optim.Optimizer, batch: Batch
    ) -> None:
        """Move the discriminator, then the net by CE(y) - weight CE of the discriminator."""
        done = (batch.epoch * state.steps + batch.step) / state.total
        env = state.env.gather(1, batch.rows)
        target = smoothed(env, state.envs, self.smoothing(state.envs, done))
        features = nets.features(batch.x)
        state.optimiser.zero_grad(set_to_none=True)
        said = affine(features.detach(), state.weight, state.bias)
        optimisers.descend(soft_entropy(said, target))
        state.optimiser.step()
        fooled = affine(features, state.weight.detach(), state.bias.detach())
        own = cross_entropy(nets.head(features), batch.y)
        optimiser.zero_grad(set_to_none=True)
        optimisers.descend(own - self.weight * soft_entropy(fooled, target))
        optimiser.step()
