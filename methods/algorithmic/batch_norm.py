"""Batch normalisation (arXiv:1502.03167), on data that a rule makes."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.algorithmic import AlgorithmicMethod, Batch, Members, Model
from bench.training import optimisers

LEAST = 1e-5
"""What is added to a variance."""


class _State:
    """Scale and shift of every unit, which are learned, and its running moments (K, 1, N)."""

    def __init__(self, members: Members) -> None:
        with torch.no_grad():
            units = members.nets.features(members.x[:, :1])
        self.scale = torch.nn.Parameter(torch.ones_like(units))
        self.shift = torch.nn.Parameter(torch.zeros_like(units))
        self.mean, self.variance = torch.zeros_like(units), torch.ones_like(units)


class BatchNorm(AlgorithmicMethod):
    """Bring every unit of the last hidden layer to mean 0 and variance 1 over the rows of a step,
    then to a mean and a variance that are learned.
    """

    card: ClassVar = MethodCard(
        name="batch-norm",
        title="Batch normalisation of the last hidden layer",
        track="algorithmic",
        paper="arXiv:1502.03167",
        bibtex="""@inproceedings{ioffe2015batch,
  title = {Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
    Shift},
  author = {Ioffe, Sergey and Szegedy, Christian},
  booktitle = {ICML},
  year = {2015},
  eprint = {1502.03167},
  archivePrefix = {arXiv}
}""",
        claim="On corrupted tables normalisation lets the net unlearn wrong labels "
        "(arXiv:2310.13061).",
        deviates="Units are normalised after the square, in the last hidden layer alone, as the "
        "code of arXiv:2310.13061 does; the paper normalises before a nonlinearity.",
        signal="none",
        stacked=True,
        defaults_from="paper",
    )
    momentum: Annotated[float, Meta(gt=0, le=1)] = 0.1
    """Share of a step's moments in the running ones, which the finished net uses."""

    def start(self, members: Members) -> _State:
        """Let the optimiser move scale and shift, too."""
        state = _State(members)
        own = optimisers.adam([state.scale, state.shift], members.problem.lr)
        for group in own.param_groups:
            members.optimiser.add_param_group({**group, "betas": members.problem.betas})
        return state

    def forward(self, state: _State, members: Members, batch: Batch) -> torch.Tensor:
        """Return outputs (K, B, C), and move the running moments."""
        features = members.nets.features(batch.x)
        mean = features.mean(1, keepdim=True)
        apart = features - mean
        variance = apart.square().mean(1, keepdim=True)
        with torch.no_grad():
            rows = features.shape[1]
            unbiased = variance * rows / max(rows - 1, 1)
            state.mean = state.mean.lerp(mean, self.momentum)
            state.variance = state.variance.lerp(unbiased, self.momentum)
        normal = apart / (variance + LEAST).sqrt()
        return members.nets.head(state.scale * normal + state.shift)

    def readout(self, state: _State, members: Members, k: int) -> Model:
        """Return the net of member ``k`` with its running moments."""
        net, scale, shift = members.nets.member(k), state.scale.detach(), state.shift.detach()
        factor = (scale / (state.variance + LEAST).sqrt())[k]
        offset = shift[k] - state.mean[k] * factor

        def model(x: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = net.head(net.features(x) * factor + offset)
            return found

        return model
