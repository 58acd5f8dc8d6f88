"""ELR+: early-learning regularisation with two nets, weight averages and
mixup (arXiv:2007.00151, section 4.3).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch

from bench import Meta, MethodCard, Run
from bench.tracks.noisy_labels import (
    Batch,
    Model,
    NoisyLabelMethod,
    Problem,
    Seeds,
    Solution,
    sgd,
    soft,
    train,
)
from bench.training.optimisers import descend, set_rate
from bench.training.rows import beside, taken
from bench.training.stack import StackedNet


class _Side:
    """One of the two nets of every member: its averaged copy, its optimiser, its targets t
    (K * N, C), the steps it has taken, and the mixing of the epoch at hand.
    """

    def __init__(self, seeds: Seeds, net: int, alpha: float) -> None:
        self.seeds, self.alpha, self.step = seeds, alpha, 0
        self.nets, self.optimiser = seeds.nets, sgd(seeds)
        self.average = copy.deepcopy(seeds.nets).requires_grad_(False)
        self.targets = seeds.zeros(seeds.members * seeds.n_rows, seeds.problem.n_classes)
        self.draws = [run.numpy_generator("method", "mixing", net) for run in seeds.runs]
        self.draw()

    def draw(self) -> None:
        """Draw an epoch: a weight of at least a half for each step (K, steps), and sort keys of
        the partners (K, N).
        """
        seeds = self.seeds
        drawn = np.stack(
            [generator.beta(self.alpha, self.alpha, seeds.steps) for generator in self.draws]
        )
        keys = np.stack([generator.random(seeds.drawn) for generator in self.draws])
        self.lam = torch.from_numpy(np.maximum(drawn, 1 - drawn)).float().to(seeds.device)
        self.keys = torch.from_numpy(keys).to(seeds.device).split(seeds.problem.batch_size, 1)

    def mixing(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the weights (K, 1) and the partners (K, B) of a step."""
        return self.lam[:, batch.step, None], self.keys[batch.step].argsort(-1)


class _State:
    """Both sides, the rows in an order of the second net's own, and the learning rates that the
    first net had in the epoch at hand.
    """

    def __init__(self, seeds: Seeds, alpha: float) -> None:
        self.seeds, self.total = seeds, seeds.problem.epochs * seeds.steps
        self.second = seeds.part(None, "second")
        self.second.nets = seeds.build(first=1)
        self.sides = [_Side(seeds, 0, alpha), _Side(self.second, 1, alpha)]
        self.rates: list[float] = []


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
            "Defaults are those of CIFAR-10 with symmetric noise for every kind of noise, and the "
            "ramp of the weight average is a share of the steps. An averaged copy starts as its "
            "net, and not from a draw of its own. The board ranks the first net after the last "
            "epoch; the paper predicts with both (acc_ensemble, here the mean of probabilities, "
            "there of logits), and its code keeps the epoch that is best on held-out rows with "
            "noisy labels."
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
            "average_ramp": 0.5682,
        },
        "cifar10-asym": {
            "beta": 0.9,
            "lam": 1.0,
            "alpha": 1.0,
            "average": 0.997,
            "average_ramp": 0.5682,
        },
        "cifar100": {
            "beta": 0.9,
            "lam": 7.0,
            "alpha": 1.0,
            "average": 0.997,
            "average_ramp": 0.4545,
            "lam_ramp": 0.4545,
        },
        "clothing1m": {"alpha": 1.0, "average": 0.9999, "average_ramp": 0.0},
        "webvision": {"alpha": 1.5, "average": 0.997, "average_ramp": 0.0},
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

    turns: Literal["epoch", "step"] = "epoch"
    """When the nets take turns: ``epoch``: the first trains for a whole epoch, then the second, in
    an order of its own, as the authors' code does; ``step``: one after the other on every batch.
    """

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Build the first nets as the loop's, the second beside them, and train."""
        seeds = self.gather(problems, runs)
        seeds.nets = seeds.build()
        state = self.start(seeds)
        train(self, seeds, state)
        return self.solutions(state, seeds)

    def start(self, seeds: Seeds) -> _State:
        """Build the second nets, copy both, set the targets to zero, draw the first epoch."""
        return _State(seeds, self.alpha)

    def step(
        self, state: _State, nets: StackedNet, optimiser: torch.optim.Optimizer, batch: Batch
    ) -> None:
        """Move the first net; the second one on the same batch, or on a whole epoch of its own
        once the first has ended its.
        """
        state.rates.append(optimiser.param_groups[0]["lr"])
        self._learn(state, 0, batch, state.rates[-1])
        if self.turns == "step":
            self._learn(state, 1, batch, state.rates.pop())
        elif batch.step == state.seeds.steps - 1:
            for own in state.second.epoch(batch.epoch):
                self._learn(state, 1, own, state.rates[own.step])
            state.rates.clear()

    def _learn(self, state: _State, net: int, batch: Batch, rate: float) -> None:
        """Take one step of a net, and let its averaged copy follow."""
        side = state.sides[net]
        set_rate(side.optimiser, rate)
        side.optimiser.zero_grad(set_to_none=True)
        descend(self._losses(state, net, batch))
        side.optimiser.step()
        side.step += 1
        if self.average_ramp:
            memory = self.average * _ramp(side.step + 1, self.average_ramp * state.total)
        else:
            memory = min(1 - 1 / (side.step + 1), self.average)
        for mine, theirs in zip(side.average.parameters(), side.nets.parameters(), strict=True):
            mine.lerp_(theirs.detach(), 1 - memory)

    def _losses(self, state: _State, net: int, batch: Batch) -> torch.Tensor:
        """Return CE to the mixed label plus lam log(1 - <q, p>) on mixed rows (K, B), where q mixes
        the targets of a row and of its partner; the targets move before the loss reads them.
        """
        side, other = state.sides[net], state.sides[1 - net]
        lam, partner = side.mixing(batch)
        logits = side.nets(_mixed(batch.x, partner, lam))
        # in training mode: the copy averages weights alone and takes a batch's own statistics, as
        # the official one does
        with torch.no_grad():
            said = other.average(batch.x).softmax(-1)
        target = self.beta * taken(side.targets, batch.flat) + (1 - self.beta) * said
        side.targets[batch.flat] = target.to(side.targets.dtype)
        label, q = (_mixed(part, partner, lam) for part in (soft(side.seeds, batch.y), target))
        if logits.shape[-1] >= 100:
            label = label * q / (label * q).sum(-1, keepdim=True)
        p = logits.softmax(-1).clamp(1e-4, 1 - 1e-4)
        weight = self.lam * _ramp(side.step + 1, self.lam_ramp * state.total)
        return -(label * logits.log_softmax(-1)).sum(-1) + weight * (1 - (q * p).sum(-1)).log()

    def after_epoch(self, state: _State, epoch: int) -> None:
        """Count what the averaged copies saw; draw the next epoch."""
        state.seeds.count(forward=2 * state.seeds.drawn)
        for side in state.sides:
            side.draw()

    def readout(self, state: _State, nets: StackedNet, k: int) -> Model:
        """Return the first net of member ``k``; from K on, the second."""
        net, member = divmod(k, state.seeds.members)
        return state.sides[net].nets.member(member)

    def finish(self, state: _State, seeds: Seeds) -> list[dict[str, Any]]:
        """Read corrections and scores off the mean of both nets' targets."""
        both = (state.sides[0].targets + state.sides[1].targets) / 2
        targets = both.view(seeds.members, seeds.n_rows, -1)
        labels, scores = targets.argmax(-1), targets.gather(-1, seeds.y[..., None])[..., 0]
        return [{"labels": labels[k], "clean_score": scores[k]} for k in range(seeds.members)]


def _mixed(values: torch.Tensor, partner: torch.Tensor, lam: torch.Tensor) -> torch.Tensor:
    """Return lam v_i + (1 - lam) v_partner(i) for values (K, B, ...)."""
    return values.lerp(beside(values, partner), (1 - lam).view(-1, *[1] * (values.dim() - 1)))


def _ramp(step: int, length: float) -> float:
    """Return exp(-5 (1 - step / length)^2), 1 from ``length`` on."""
    return math.exp(-5 * (1 - min(1.0, step / length)) ** 2) if length else 1.0
