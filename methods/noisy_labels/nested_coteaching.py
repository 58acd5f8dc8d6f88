"""Compressed features: nested dropout, then Co-teaching (arXiv:2206.13140)."""

from __future__ import annotations

import copy
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
    train,
)
from bench.training.data import stratified_split
from bench.training.stack import StackedMLP, StackedNet
from bench.training.state import evaluating


class _State:
    """The rows held out, how many channels each net keeps at each step, how many both are judged
    on (K,), and the nets that the rows held out found best, with their channels and scores (2 K,).
    """

    def __init__(self, seeds: Seeds, held: torch.Tensor, method: NestedCoTeaching) -> None:
        self.seeds, self.held, self.method = seeds, held, method
        self.width = self.features(held[:, :1]).shape[-1]
        self.fine = max(1, round((1 - method.finetune) * seeds.problem.epochs))
        self.draws = [
            run.numpy_generator("method", "channels", net) for net in range(2) for run in seeds.runs
        ]
        self.masks = [
            run.torch_generator("method", "dropout", net) for net in range(2) for run in seeds.runs
        ]
        self.kept = seeds.zeros(seeds.members * seeds.n_rows, dtype=torch.bool)
        self.judges = torch.full((seeds.members,), self.width, device=seeds.device)
        self.best = copy.deepcopy(seeds.nets)
        self.channels_best = torch.full((2 * seeds.members,), self.width, device=seeds.device)
        self.scores = torch.full((2 * seeds.members,), -1.0, device=seeds.device)
        self.draw()

    def look(self, together: bool) -> None:
        """Try every number of channels on the rows held out, and keep the nets that label more of
        them as given than ever before: each by itself, or of both the mean logits.
        """
        score, place = self.right(together).max(1)
        better, self.scores = score > self.scores, torch.maximum(score, self.scores)
        self.channels_best = torch.where(better, place + 1, self.channels_best)
        self.judges = place[: self.seeds.members] + 1
        for mine, theirs in zip(_values(self.best), _values(self.seeds.nets), strict=True):
            mine.data[better] = theirs.data[better]

    @torch.no_grad()
    def right(self, together: bool) -> torch.Tensor:
        """Return for each net and number of channels the share of the rows held out that is
        labelled as given, less 1e-5 a channel (2 K, D); without nested dropout for all channels
        alone.
        """
        seeds, nets = self.seeds, self.seeds.nets
        found = seeds.zeros(nets.members, self.width)
        with evaluating(nets):
            # (2 K, D, C)
            weight = nets.head(
                torch.eye(self.width, device=seeds.device).expand(nets.members, -1, -1)
            )
            for rows in self.held.split(max(1, 2**20 // weight[0].numel()), 1):
                # (2 K, n, D, C): logits by the first 1, 2, ... channels
                growing = (self.features(rows)[..., None] * weight[:, None]).cumsum(2)
                if together:
                    both = growing.unflatten(0, (2, -1)).mean(0)
                    growing = both.repeat(2, 1, 1, 1)
                given = seeds.y.gather(1, rows).repeat(2, 1)
                found += (growing.argmax(-1) == given[..., None]).sum(1)
        found = found / self.held.shape[1] - 1e-5 * torch.arange(self.width, device=seeds.device)
        if not self.method.nested:
            found[:, :-1] = -torch.inf
        return found

    def features(self, rows: torch.Tensor) -> torch.Tensor:
        """Return both nets' features of the rows (K, n), (2 K, n, D), in eval mode; it counts."""
        self.seeds.count(forward=2 * rows.shape[1])
        with evaluating(self.seeds.nets):
            return self.seeds.nets.features(
                self.seeds.inputs(rows).repeat(2, *[1] * self.seeds.problem.x.dim())
            )

    def draw(self) -> None:
        """Draw an epoch: the number of channels of each net at each step, (2 K, steps)."""
        if self.method.nested:
            p = np.exp(-((np.arange(1, self.width + 1) / (self.method.nested * self.width)) ** 2))
            drawn = np.stack(
                [
                    generator.choice(self.width, self.seeds.steps, p=p / p.sum())
                    for generator in self.draws
                ]
            )
            self.channels = torch.from_numpy(drawn + 1).to(self.seeds.device)
        else:
            self.channels = torch.full(
                (len(self.draws), self.seeds.steps), self.width, device=self.seeds.device
            )

    def first(self, channels: torch.Tensor) -> torch.Tensor:
        """Return a mask (n, 1, D) that keeps the first ``channels`` (n,) channels."""
        return (torch.arange(self.width, device=channels.device) < channels[:, None])[:, None]


class NestedCoTeaching(NoisyLabelMethod):
    """Order the channels by keeping a random number of the first ones, so that few carry the class;
    then let two such nets teach each other.
    """

    card: ClassVar = MethodCard(
        name="nested-coteaching",
        title="Compressed features: nested dropout and Co-teaching",
        track="noisy-labels",
        paper="arXiv:2206.13140",
        bibtex="""@article{chen2022compressing,
  title = {Compressing Features for Learning with Noisy Labels},
  author = {Chen, Yingyi and Hu, Shell Xu and Shen, Xi and Ai, Chunrong and Suykens, Johan A. K.},
  journal = {IEEE Transactions on Neural Networks and Learning Systems},
  year = {2022},
  eprint = {2206.13140},
  archivePrefix = {arXiv}
}""",
        claim="Nested dropout alone resists wrong labels better than cross entropy, and "
        "Co-teaching of two such nets improves on it once more.",
        official_code="ok",
        deviates=(
            "The spread of the channels is a share of the width, a quarter by default, since the "
            "paper's 10 of 512 starves a small net. Both stages share the task's epochs and its "
            "falling learning rate in the paper's proportion, without its warm-up, and both nets "
            "see whole batches in one order, where the official code gives each half a batch to "
            "choose from. The rows that choose epoch and channels are held out of the training "
            "rows with labels as noisy as theirs; the authors' have clean ones. The board ranks "
            "the first net; the paper predicts with both."
        ),
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"nested": (0.125, 0.25, 0.5), "forget": (0.1, 0.2, 0.4)},
    )
    settings: ClassVar = {
        "cifar10": {"nested": 0.01953125},
        "cifar100": {"nested": 0.1953125},
        "clothing1m": {"nested": 0.1953125, "forget": 0.3, "finetune": 0.5},
        "cifar10-dropout": {"nested": 0.0, "dropout": 0.3},
        "cifar100-dropout": {"nested": 0.0, "dropout": 0.7},
        "clothing1m-dropout": {"nested": 0.0, "dropout": 0.3, "forget": 0.3, "finetune": 0.5},
    }
    nets: ClassVar[int] = 2
    nested: Annotated[float, Meta(ge=0)] = 0.25
    """Spread of the number of channels kept, as a share of the width; 0: all are kept."""
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of the channels dropped at random instead, the paper's second variant."""
    forget: Annotated[float, Meta(ge=0, lt=1)] = 0.2
    """Share of a batch that Co-teaching leaves out."""
    finetune: Annotated[float, Meta(ge=0, le=1)] = 2 / 9
    """Share of the epochs given to Co-teaching (the paper's 100 of 450)."""
    holdout: Annotated[float, Meta(gt=0, lt=1)] = 0.1
    """Share of the rows that choose epoch and number of channels; their labels are as noisy as the
    others'.
    """

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Hold rows out, then train nets whose last layer has no bias."""
        seeds, held = self._narrowed(Seeds(problems, runs))
        seeds.nets = without_bias(seeds.build(2))
        state = _State(seeds, held, self)
        train(self, seeds, state)
        return self.solutions(state, seeds)

    def _narrowed(self, seeds: Seeds) -> tuple[Seeds, torch.Tensor]:
        """Return the seeds without a stratified part of each member's
        rows, and that part (K, n).
        """
        held = max(1, round(self.holdout * seeds.n_rows))
        splits = [
            stratified_split(y, held, run.numpy_generator("method", "holdout"))
            for y, run in zip(seeds.y.cpu().numpy(), seeds.runs, strict=True)
        ]
        rows, held_rows = (
            torch.from_numpy(np.stack(part)).to(seeds.device) for part in zip(*splits, strict=True)
        )
        return seeds.part(rows), held_rows

    def step(
        self, state: _State, nets: StackedNet, optimiser: torch.optim.Optimizer, batch: Batch
    ) -> None:
        """Before fine-tuning return to each net's best epoch, with a fresh optimiser, and freeze
        the nets' statistics.
        """
        if batch.epoch == state.fine and not batch.step:
            for mine, best in zip(_values(nets), _values(state.best), strict=True):
                mine.data.copy_(best)
            optimiser.state.clear()
            nets.eval()
            state.scores.fill_(-1.0)
            state.look(together=True)
        super().step(state, nets, optimiser, batch)

    def forward(self, state: _State, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the logits (2, K, B, C) on the channels kept; while fine-tuning both nets keep as
        many, and judge every row on the best number.
        """
        features = nets.features(batch.x.repeat(2, *[1] * (batch.x.dim() - 1)))
        channels = state.channels[:, batch.step]
        if batch.epoch >= state.fine:
            channels = channels[: len(channels) // 2].repeat(2)
            with torch.no_grad():
                judged = nets.head(features * state.first(state.judges.repeat(2))).unflatten(
                    0, (2, -1)
                )
                state.judged = cross_entropy(judged, batch.y.expand(2, -1, -1))
        masked = features * state.first(channels)
        if self.dropout:
            drawn = [
                torch.rand(masked.shape[1:], generator=generator, device=masked.device)
                for generator in state.masks
            ]
            masked = masked * (torch.stack(drawn) >= self.dropout) / (1 - self.dropout)
        return nets.head(masked).unflatten(0, (2, -1))

    def loss(self, state: _State, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Cross entropy; while fine-tuning its mean over the int((1 -
        forget) B) rows that the other net finds easiest.
        """
        losses = cross_entropy(logits, batch.y.expand(2, -1, -1))
        if batch.epoch < state.fine:
            return losses
        count = max(1, int((1 - self.forget) * batch.y.shape[1] + 1e-9))
        chosen = state.judged.flip(0).argsort(dim=-1, stable=True).argsort(-1) < count
        state.kept[batch.flat] = chosen[0]
        return ((losses * chosen).sum(-1) / count)[..., None]

    def after_epoch(self, state: _State, epoch: int) -> None:
        """Look at the rows held out: by itself each net, while fine-tuning both together; draw the
        next epoch.
        """
        state.look(together=epoch >= state.fine)
        state.draw()

    def readout(self, state: _State, nets: StackedNet, k: int) -> Model:
        """Return the net of the best epoch so far on its best number of channels."""
        mask = state.first(state.channels_best[k, None])[0, 0]
        return _Compressed(super().readout(state, state.best, k), mask)

    def finish(self, state: _State, seeds: Seeds) -> list[dict[str, Any]]:
        """Say which rows the first net was trained on in the last epoch."""
        return [{"kept": state.kept.view(seeds.members, -1)[k]} for k in range(seeds.members)]


class _Compressed(torch.nn.Module):
    """A net on some of its channels."""

    def __init__(self, net: Any, mask: torch.Tensor) -> None:
        super().__init__()
        self.net, self.mask = net, mask

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (n, ...) to logits (n, C)."""
        return self.net.head(self.net.features(x) * self.mask)


def without_bias(nets: StackedNet) -> StackedNet:
    """Return the nets, whose last layer's bias is zero from now on."""
    bias = nets.biases[-1] if isinstance(nets, StackedMLP) else nets.bias
    bias.data.zero_()
    bias.requires_grad_(False)
    return nets


def _values(nets: StackedNet) -> list[torch.Tensor]:
    """Return parameters and statistics."""
    return [*nets.parameters(), *nets.buffers()]
