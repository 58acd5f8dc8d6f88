"""DivideMix (arXiv:2002.07394)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

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
    cross_entropy,
    sgd,
    soft,
    train,
)
from bench.training.mixture import lower_component
from bench.training.optimisers import descend, set_rate
from bench.training.rows import beside
from bench.training.stack import StackedNet
from bench.training.state import evaluating

from ._views import Views

HIGH = 0.85
"""From this noise rate on the paper's settings for 90 % hold."""
LOW = 0.35
"""Below it those for 20 %, halfway to the next one, 50 %."""


class _State:
    """Both nets of every member, what each says of the rows, and the rates of the epoch at hand.

    Attributes:
        sides: the members with the first nets, and with the second, in orders of their own.
        clean: by each net, how likely a row's label is right, (2, K, N).
        lambda_u: weight of the unlabelled rows (K,).
    """

    def __init__(self, seeds: Seeds, method: DivideMix) -> None:
        assert seeds.noise_rate is not None, "the card asks for the noise rate"
        second = seeds.part(None, "second")
        second.nets = seeds.build(first=1)
        self.sides, self.optimiser = [seeds, second], sgd(second)
        self.rates: list[float] = []
        self.high = seeds.noise_rate >= HIGH
        self.lambda_u = method.weights(seeds.noise_rate)
        self.clean = seeds.zeros(2, *seeds.y.shape, dtype=torch.float64) + 1
        self.history: list[torch.Tensor] = []
        epochs = seeds.problem.epochs
        self.warm_up = max(1, round(method.warm_up * epochs))
        self.ramp = method.ramp * epochs
        self.picks, self.mixes = (
            [[run.numpy_generator("method", role, net) for run in seeds.runs] for net in (0, 1)]
            for role in ("rows", "mixing")
        )
        self.views = [Views(seeds, method.noise, net) for net in (0, 1)]
        # the first half of every batch holds labelled rows
        place = torch.arange(seeds.n_rows)
        batch = place.split(seeds.problem.batch_size)
        self.labelled = torch.cat([part - part[0] < (len(part) + 1) // 2 for part in batch])


class DivideMix(NoisyLabelMethod):
    """Two nets split the rows for each other by their losses; each learns from the rows held clean
    with refined labels, and from the others with labels that both guess.
    """

    card: ClassVar = MethodCard(
        name="dividemix",
        title="DivideMix",
        track="noisy-labels",
        paper="arXiv:2002.07394",
        bibtex="""@inproceedings{li2020dividemix,
  title = {DivideMix: Learning with Noisy Labels as Semi-supervised Learning},
  author = {Li, Junnan and Socher, Richard and Hoi, Steven C. H.},
  booktitle = {ICLR},
  year = {2020},
  eprint = {2002.07394},
  archivePrefix = {arXiv}
}""",
        claim="Rows that are held wrong still teach, as unlabelled ones: above Co-teaching and "
        "mixup at every rate of symmetric and asymmetric noise.",
        official_code="ok",
        deviates=(
            "The rate of wrong labels sets what the authors set by hand for each dataset and "
            "rate: no weight of the unlabelled rows below a rate of .35, 25 above, 50 from .85 "
            "on, where the losses of five epochs are averaged too; for asymmetric noise the "
            "authors set that weight to 0 and penalise sure predictions in the warm-up, which a "
            "rate alone does not tell. An epoch after the warm-up has as many steps as the "
            "task's, of half a batch of labelled and half a batch of unlabelled rows, instead of "
            "one pass over the labelled ones. Where one kind is empty all rows are drawn from. A "
            "row's first look is drawn once an epoch, and noise is added to the second one, since "
            "inputs that are not mirrored or shifted would be seen twice alike. BatchNorm sees "
            "labelled and unlabelled rows of a step together. The mixture of losses starts from "
            "the exact split into two means instead of the best of random starts. The board ranks "
            "the first net; the paper predicts with both (acc_ensemble, here the mean of "
            "probabilities, there of logits). Rate, schedule and weight decay are the task's."
        ),
        needs=("noise-rate",),
        stacked=True,
        defaults_from="here",
        trials=0,
        tuning={"warm_up": (0.05, 0.1, 0.2), "noise": (0.0, 0.3, 1.0)},
    )
    settings: ClassVar = {
        "cifar10-sym20": {"lambda_u": 0.0, "warm_up": 1 / 30, "noise": 0.0},
        "cifar10-sym50": {"lambda_u": 25.0, "warm_up": 1 / 30, "noise": 0.0},
        "cifar10-asym40": {"lambda_u": 0.0, "warm_up": 1 / 30, "noise": 0.0, "penalty": 1.0},
        "cifar100-sym20": {"lambda_u": 25.0, "warm_up": 0.1, "noise": 0.0},
        "cifar100-sym50": {"lambda_u": 150.0, "warm_up": 0.1, "noise": 0.0},
    }
    nets: ClassVar[int] = 2
    warm_up: Annotated[float, Meta(ge=0, le=1)] = 0.1
    """Share of the epochs in which both nets learn from all rows; at least one."""
    threshold: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    """Rows that are right with more than this probability are labelled."""
    temperature: Annotated[float, Meta(gt=0)] = 0.5
    """Refined and guessed labels are raised to its inverse."""
    alpha: Annotated[float, Meta(gt=0)] = 4.0
    """Both parameters of the Beta distribution of the mixing weight."""
    lambda_u: Annotated[float, Meta(ge=0)] | None = None
    """Weight of the unlabelled rows; none: by the rate of wrong labels."""
    ramp: Annotated[float, Meta(ge=0, le=1)] = 16 / 300
    """Share of the epochs over which that weight rises."""
    penalty: Annotated[float, Meta(ge=0)] = 0.0
    """Weight of the negative entropy in the warm-up; the authors take 1 for asymmetric noise."""
    noise: Annotated[float, Meta(ge=0)] = 0.3
    """Standard deviation of what is added to the second look at a row."""

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Build the first nets as the loop's, the second beside them, and train."""
        seeds = self.gather(problems, runs)
        seeds.nets = seeds.build()
        state = self.start(seeds)
        train(self, seeds, state)
        return self.solutions(state, seeds)

    def start(self, seeds: Seeds) -> _State:
        """Build the second nets; hold every label right."""
        return _State(seeds, self)

    def weights(self, rate: torch.Tensor) -> torch.Tensor:
        """Return the weight of the unlabelled rows at noise rates (K,)."""
        if self.lambda_u is not None:
            return torch.full_like(rate, self.lambda_u)
        return torch.where(rate < LOW, 0.0, torch.where(rate < HIGH, 25.0, 50.0))

    def rows(self, state: _State, epoch: int, orders: torch.Tensor) -> torch.Tensor:
        """Split the rows once the warm-up is over; return those of the first net."""
        if epoch < state.warm_up:
            return orders
        self._divide(state)
        return self._drawn(state, 0)

    def _divide(self, state: _State) -> None:
        """Let each net say which labels are right: the lower of two Gaussians fitted to its losses,
        scaled to [0, 1].
        """
        losses = torch.stack(
            [cross_entropy(side.logits(side.nets), side.y).double() for side in state.sides]
        )
        low, high = losses.amin(-1, keepdim=True), losses.amax(-1, keepdim=True)
        state.history = [*state.history, (losses - low) / (high - low).clamp_min(1e-12)][-5:]
        several = torch.stack(state.history).mean(0)
        state.clean = lower_component(torch.where(state.high[:, None], several, state.history[-1]))

    def _drawn(self, state: _State, net: int) -> torch.Tensor:
        """Return the rows of a net's epoch (K, N), in each batch first those that the other net
        holds right, then others; each kind again and again in new orders.
        """
        labelled = state.labelled.numpy()
        right = (state.clean[1 - net] > self.threshold).cpu().numpy()
        rows = np.empty(right.shape, dtype=np.int64)
        for k, generator in enumerate(state.picks[net]):
            for places, chosen in ((labelled, right[k]), (~labelled, ~right[k])):
                own = np.flatnonzero(chosen if chosen.any() else ~chosen)
                times = -(-places.sum() // len(own))
                order = [generator.permutation(own) for _ in range(times)]
                rows[k, places] = np.concatenate([*order, own[:0]])[: places.sum()]
        return torch.from_numpy(rows).to(state.clean.device)

    def step(
        self, state: _State, nets: StackedNet, optimiser: torch.optim.Optimizer, batch: Batch
    ) -> None:
        """Move the first net; once its epoch is over the second one through a whole epoch."""
        state.rates.append(optimiser.param_groups[0]["lr"])
        self._learn(state, 0, optimiser, batch)
        if batch.step == state.sides[0].steps - 1:
            second = state.sides[1]
            order = self._drawn(state, 1) if batch.epoch >= state.warm_up else second.order()
            for own in second.epoch(batch.epoch, order):
                set_rate(state.optimiser, state.rates[own.step])
                self._learn(state, 1, state.optimiser, own)
            state.rates.clear()

    def _learn(
        self, state: _State, net: int, optimiser: torch.optim.Optimizer, batch: Batch
    ) -> None:
        """Take one step of a net."""
        warm = batch.epoch < state.warm_up
        optimiser.zero_grad(set_to_none=True)
        descend(self._warm_up(state, net, batch) if warm else self._mixmatch(state, net, batch))
        optimiser.step()

    def _warm_up(self, state: _State, net: int, batch: Batch) -> torch.Tensor:
        """Return cross entropy and the penalty on being sure, (K, B)."""
        logits = state.sides[net].nets(batch.x)
        losses = cross_entropy(logits, batch.y)
        if self.penalty:
            log_p = logits.log_softmax(-1)
            losses = losses + self.penalty * (log_p.exp() * log_p).sum(-1)
        return losses

    def _mixmatch(self, state: _State, net: int, batch: Batch) -> torch.Tensor:
        """Return each member's loss (K, 1): cross entropy of mixed labelled rows, weighted squared
        distance of mixed unlabelled ones, and how far the mean prediction is from even.
        """
        seeds, half = state.sides[net], (batch.y.shape[1] + 1) // 2
        looks = [batch.x, state.views[net](batch)]
        target = torch.cat(self._targets(state, net, batch, looks, half), 1)
        x = torch.cat([look[:, part] for part in _parts(half) for look in looks], 1)
        target = torch.cat([target[:, part] for part in _parts(half) for _ in looks], 1)
        draws = state.mixes[net]
        lam = x.new_tensor([generator.beta(self.alpha, self.alpha) for generator in draws])
        partner = torch.from_numpy(
            np.stack([generator.permutation(x.shape[1]) for generator in draws])
        ).to(x.device)
        other = 1 - torch.maximum(lam, 1 - lam)
        logits = seeds.nets(
            x.lerp(beside(x, partner), other.view(-1, *[1] * (x.dim() - 1)).expand_as(x))
        )
        target = target.lerp(beside(target, partner), other[:, None, None].expand_as(target))
        log_p = logits.log_softmax(-1)
        labelled = -(target * log_p)[:, : 2 * half].sum(-1).mean(-1)
        distance = ((log_p.exp() - target) ** 2)[:, 2 * half :].mean(-1).sum(-1)
        unlabelled = distance / max(1, x.shape[1] - 2 * half)
        even = -(log_p.exp().mean(1) * logits.shape[-1]).log().mean(-1)
        place = batch.epoch + batch.step / seeds.steps - state.warm_up
        weight = state.lambda_u.to(x.dtype) * min(1.0, place / max(state.ramp, 1e-9))
        return (labelled + weight * unlabelled + even)[:, None]

    def _targets(
        self, state: _State, net: int, batch: Batch, looks: list[torch.Tensor], half: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the refined labels of the first ``half`` rows and the guessed ones of the rest,
        sharpened: (K, half, C) and (K, B - half, C).
        """
        mine, other = (state.sides[number].nets for number in (net, 1 - net))
        with torch.no_grad():
            said = torch.stack([mine(look).softmax(-1) for look in looks]).mean(0)
        with evaluating(other):
            theirs = torch.stack([other(look[:, half:]).softmax(-1) for look in looks]).mean(0)
        right = state.clean[1 - net].gather(1, batch.rows[:, :half])[..., None].to(said.dtype)
        given = soft(state.sides[net], batch.y[:, :half])
        refined = right * given + (1 - right) * said[:, :half]
        guessed = (said[:, half:] + theirs) / 2
        sharp = [label ** (1 / self.temperature) for label in (refined, guessed)]
        first, second = (label / label.sum(-1, keepdim=True) for label in sharp)
        return first, second

    def after_epoch(self, state: _State, epoch: int) -> None:
        """Count what was seen beside one look by each net; draw the next second looks."""
        seeds = state.sides[0]
        if epoch >= state.warm_up:
            # twice by the net itself to label, its unlabelled rows twice by the other, mixed twice
            unlabelled = int((~state.labelled).sum())
            seeds.count(forward=6 * seeds.drawn + 4 * unlabelled, backward=2 * seeds.drawn)
        for views in state.views:
            views.draw()

    def readout(self, state: _State, nets: StackedNet, k: int) -> Model:
        """Return the first net of member ``k``; from K on, the second."""
        net, member = divmod(k, state.sides[0].members)
        return state.sides[net].nets.member(member)

    def finish(self, state: _State, seeds: Seeds) -> list[dict[str, Any]]:
        """Say how likely each label is right by both nets, and which rows the first net took for
        labelled ones.
        """
        kept = state.clean[1] > self.threshold
        return [
            {"clean_score": state.clean[:, k].mean(0), "kept": kept[k]}
            for k in range(seeds.members)
        ]


def _parts(half: int) -> tuple[slice, slice]:
    """Return which rows of a batch are labelled and which are not."""
    return slice(half), slice(half, None)
