"""Optimisers that shake weights to keep a net able to learn (arXiv:2302.03281)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from bench.tracks.continual import Members


class Perturbed(torch.optim.Optimizer):
    """theta <- (1 - lr decay) theta - factor lr (g + xi) (1 - s), xi normal.

    Args:
        members: the seeds, whose streams the noise is drawn from.
        lr: learning rate.
        decay: of weights, a step and unit of the rate.
        noise: standard deviation of xi.
        factor: 2 in the paper's algorithm, where utility halves it.
        beta: of the running mean of the utility -g theta, in [0, 1); None: there is no utility, s
            is 0.
    """

    def __init__(
        self,
        members: Members,
        lr: float,
        decay: float,
        noise: float,
        factor: float = 1.0,
        beta: float | None = None,
    ) -> None:
        self.own = list(members.nets.parameters())
        super().__init__(self.own, {"lr": lr})
        self.decay, self.noise, self.factor, self.beta = decay, noise, factor, beta
        self.draws = [run.torch_generator("method", "noise") for run in members.runs]
        self.utility = [torch.zeros_like(own) for own in self.own]
        self.steps = 0

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Move every parameter."""
        self.steps += 1
        scales = self._scales()
        for own, scale in zip(self.own, scales, strict=True):
            xi = torch.stack(
                [torch.randn(own.shape[1:], generator=g, device=own.device) for g in self.draws]
            )
            lr = self.param_groups[0]["lr"]
            move = self.factor * lr * (own.grad + self.noise * xi) * (1 - scale)
            own.mul_(1 - lr * self.decay).sub_(move)

    def _scales(self) -> Sequence[torch.Tensor]:
        """Return s of every parameter: how useful it is, beside the most useful of its net."""
        if self.beta is None:
            return self.utility
        for own, total in zip(self.own, self.utility, strict=True):
            assert own.grad is not None
            total.mul_(self.beta).sub_((1 - self.beta) * own.grad * own)
        rate = 1 - self.beta**self.steps
        most = torch.stack([total.flatten(1).amax(1) for total in self.utility]).amax(0)
        # a net without a useful weight must not turn the signs of the others
        most = (most / rate).clamp_min(1e-12)
        return [
            (total / rate / most.view(-1, *[1] * (total.dim() - 1))).sigmoid()
            for total in self.utility
        ]
