"""ELR+: early-learning regularisation with two nets, weight averages and
mixup (arXiv:2007.00151, section 4.3).
"""

from __future__ import annotations

import copy
import math
from typing import Annotated, Any, ClassVar

import numpy as np
import torch

from bench import Meta, MethodCard
from bench.tracks.noisy_labels import Batch, NoisyLabelMethod, Seeds, soft
from bench.training.stack import StackedNet


class _State:
    """Targets t of both nets (2, K * N, C), their averaged copies, and the
    mixing of the epoch at hand.
    """

    def __init__(self, seeds: Seeds, alpha: float) -> None:
        self.seeds, self.alpha, self.step = seeds, alpha, 0
        self.total = seeds.problem.epochs * seeds.steps
        self.targets = seeds.zeros(2, seeds.members * seeds.n_rows, seeds.problem.n_classes)
        self.average = copy.deepcopy(seeds.nets).requires_grad_(False)
        self.draws = [
            [run.numpy_generator("method", "mixing", net) for run in seeds.runs] for net in range(2)
        ]
        self.draw()

    def draw(self) -> None:
        """Draw an epoch for both nets: a weight of at least a half for each step (2, K, steps),
        sort keys of the partners (2, K, N).
        """
        drawn = np.stack(
            [
                [generator.beta(self.alpha, self.alpha, self.seeds.steps) for generator in net]
                for net in self.draws
            ]
        )
        keys = np.stack(
            [[generator.random(self.seeds.drawn) for generator in net] for net in self.draws]
        )
        self.lam = torch.from_numpy(np.maximum(drawn, 1 - drawn)).float().to(self.seeds.device)
        self.keys = (
            torch.from_numpy(keys).to(self.seeds.device).split(self.seeds.problem.batch_size, 2)
        )

    def mixing(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the weights (2, K, 1) and the partners (2, K, B) of a step."""
        return self.lam[..., batch.step, None], self.keys[batch.step].argsort(-1)


class EarlyLearningRegularisationPlus(NoisyLabelMethod):
    """Two nets on mixed rows; each is pulled towards what the averaged
    copy of the other one said of these rows before.
    """

    card: ClassVar = MethodCard(
        name="elr-plus",
        title="ELR+: early-learning regularisation with two nets, weight averages and mixup",
        track="noisy-labels",
        paper="arXiv:2007.00151",
        bibtex="""@inproceedings{liu2020early,
  title = {Early-Learning Regularization Prevents Memorization of Noisy Labels},
  author = {Liu, Sheng and Niles-Weed, Jonathan and Razavian, Narges and Fernandez-Granda, Carlos},
  booktitle = {NeurIPS},
  year = {2020},
  eprint = {2007.00151},
  archivePrefix = {arXiv}
}""",
        claim="A second net, averaged weights and mixup improve on ELR; both stay far above "
        "cross entropy under every kind of noise.",
        official_code="ok",
        deviates=(
            "Both nets see the batches in one order. Defaults are those of CIFAR-10 with symmetric "
            "noise for every kind of noise, and the ramp of the weight average is a share of the "
            "steps. The board ranks the first net; the paper predicts with both (acc_ensemble, "
            "here the mean of probabilities)."
        ),
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lam": (1.0, 3.0, 7.0), "beta": (0.5, 0.7, 0.9)},
    )
    settings: ClassVar = {
        "cifar10-sym": {
            "beta": 0.7,
            "lam": 3.0,
            "alpha": 1.0,
            "average": 0.997,
            "average_ramp": 0.51,
        },
        "cifar10-asym": {
            "beta": 0.9,
            "lam": 1.0,
            "alpha": 1.0,
            "average": 0.997,
            "average_ramp": 0.51,
        },
        "cifar100": {
            "beta": 0.9,
            "lam": 7.0,
            "alpha": 1.0,
            "average": 0.997,
            "average_ramp": 0.41,
            "lam_ramp": 0.41,
        },
        "clothing1m": {"alpha": 1.0, "average": 0.9999, "average_ramp": 0.0},
    }
    nets: ClassVar[int] = 2
    lam: Annotated[float, Meta(ge=0)] = 3.0
    """Weight of the regulariser."""
    beta: Annotated[float, Meta(ge=0, lt=1)] = 0.7
    """Memory of the targets."""
    alpha: Annotated[float, Meta(gt=0)] = 1.0
    """Both parameters of the Beta distribution of the mixing weight."""
    average: Annotated[float, Meta(ge=0, lt=1)] = 0.997
    """Memory of the averaged weights once the ramp is over."""
    average_ramp: Annotated[float, Meta(ge=0, le=1)] = 0.25
    """Share of the steps over which that memory rises; 0: the true average
    until it reaches ``average``.
    """
    lam_ramp: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """Share of the steps over which ``lam`` rises; 0: not at all."""

    def start(self, seeds: Seeds) -> _State:
        """Copy the nets, set the targets to zero, draw the first epoch."""
        return _State(seeds, self.alpha)

    def forward(self, state: _State, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the logits (2, K, B, C) of both nets, each on its own mixture."""
        lam, partner = state.mixing(batch)
        shape = (*partner.shape, *[1] * (batch.x.dim() - 2))
        x = batch.x.expand(2, *batch.x.shape)
        mixed = x.lerp(
            x.gather(2, partner.view(shape).expand_as(x)),
            (1 - lam).view(2, -1, *[1] * (batch.x.dim() - 1)),
        )
        return nets(mixed.flatten(0, 1)).unflatten(0, (2, -1))

    def loss(self, state: _State, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """CE to the mixed label plus lam log(1 - <q, p>), where q mixes
        the targets of a row and of its partner.
        """
        self._follow(state)
        # in training mode: the copy averages weights alone and takes a batch's own statistics, as
        # the official one does
        with torch.no_grad():
            said = (
                state.average(batch.x.repeat(2, *[1] * (batch.x.dim() - 1)))
                .softmax(-1)
                .unflatten(0, (2, -1))
            )
        target = self.beta * state.targets[:, batch.flat] + (1 - self.beta) * said.flip(0)
        state.targets[:, batch.flat] = target.to(state.targets.dtype)
        lam, partner = state.mixing(batch)
        given = soft(state.seeds, batch.y).expand_as(logits)
        label, q = (_mixed(part, partner, lam) for part in (given, target))
        if logits.shape[-1] >= 100:
            label = label * q / (label * q).sum(-1, keepdim=True)
        p = logits.softmax(-1).clamp(1e-4, 1 - 1e-4)
        weight = self.lam * _ramp(state.step, self.lam_ramp * state.total)
        return -(label * logits.log_softmax(-1)).sum(-1) + weight * (1 - (q * p).sum(-1)).log()

    def _follow(self, state: _State) -> None:
        """Move the averaged weights towards what the last step made of the nets."""
        if self.average_ramp:
            memory = self.average * _ramp(state.step + 1, self.average_ramp * state.total)
        else:
            memory = min(1 - 1 / (state.step + 1), self.average)
        for mine, theirs in zip(
            state.average.parameters(), state.seeds.nets.parameters(), strict=True
        ):
            mine.lerp_(theirs.detach(), 1 - memory)
        state.step += 1

    def after_epoch(self, state: _State, epoch: int) -> None:
        """Count what the averaged copies saw; draw the next epoch."""
        state.seeds.count(forward=2 * state.seeds.drawn)
        state.draw()

    def finish(self, state: _State, seeds: Seeds) -> list[dict[str, Any]]:
        """Read corrections and scores off the mean of both nets' targets."""
        targets = state.targets.mean(0).view(seeds.members, seeds.n_rows, -1)
        labels, scores = targets.argmax(-1), targets.gather(-1, seeds.y[..., None])[..., 0]
        return [{"labels": labels[k], "clean_score": scores[k]} for k in range(seeds.members)]


def _mixed(values: torch.Tensor, partner: torch.Tensor, lam: torch.Tensor) -> torch.Tensor:
    """Return lam v_i + (1 - lam) v_partner(i) for values (2, K, B, C)."""
    return lam[..., None] * values + (1 - lam[..., None]) * values.gather(
        2, partner[..., None].expand_as(values)
    )


def _ramp(step: int, length: float) -> float:
    """Return exp(-5 (1 - step / length)^2), 1 from ``length`` on."""
    return math.exp(-5 * (1 - min(1.0, step / length)) ** 2) if length else 1.0
