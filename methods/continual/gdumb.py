"""Greedy sampler and dumb learner (doi:10.1007/978-3-030-58536-5_31)."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.continual import Chunk, ContinualMethod, Members, Model, cross_entropy
from bench.training import optimisers
from bench.training.memory import Memory
from bench.training.rows import beside
from bench.training.stack import StackedMLP


class _State:
    """The store, whose one logit a row is the row's random key, and the nets of the last report."""

    def __init__(self, members: Members) -> None:
        self.memory = members.memory(outputs=1)
        self.keys = [run.torch_generator("method", "keys", device="cpu") for run in members.runs]
        self.orders = [run.torch_generator("method", "order", device="cpu") for run in members.runs]
        self.learned: StackedMLP | None = None


class GreedySamplerDumbLearner(ContinualMethod):
    """Keep equally many random rows of each class, and nothing else; whenever a model is asked for,
    train a fresh net on them.
    """

    card: ClassVar = MethodCard(
        name="gdumb",
        title="GDumb: a balanced store and a fresh net",
        track="continual",
        paper="doi:10.1007/978-3-030-58536-5_31",
        bibtex="""@inproceedings{prabhu2020gdumb,
  title = {{GDumb}: A Simple Approach that Questions Our Progress in Continual Learning},
  author = {Prabhu, Ameya and Torr, Philip H. S. and Dokania, Puneet K.},
  booktitle = {ECCV},
  year = {2020},
  doi = {10.1007/978-3-030-58536-5_31}
}""",
        claim="A net trained only on a greedily filled, balanced store performs as well as "
        "methods designed for streams.",
        deviates="A random key for each row decides which rows of a class stay, so that all "
        "rows of a class have the same probability; the paper evicts at random. No CutMix, and "
        "half a cosine instead of restarts. 60 passes at a batch of 10; the paper has up to 256.",
        signal="labels",
        needs=("memory",),
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"passes": (30, 60, 120), "lr": (0.02, 0.05)},
    )
    passes: Annotated[int, Meta(ge=1)] = 60
    """Passes over the store."""
    lr: Annotated[float, Meta(gt=0)] = 0.05
    """Learning rate after the first pass, which has a tenth of it; it falls on half a cosine."""
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    """Momentum of SGD."""
    clip: Annotated[float, Meta(gt=0)] = 10.0
    """Longest gradient of a net; a longer one is scaled down to it."""

    def start(self, members: Members) -> _State:
        """Open the store."""
        return _State(members)

    def step(self, state: Any, members: Members, batch: Chunk) -> None:
        """Keep rows, and learn nothing."""
        if state.memory.capacity:
            keys = torch.stack([torch.rand(batch.y.shape[1], generator=g) for g in state.keys])
            balance(state.memory, batch.x, batch.y, batch.t, keys.to(members.device))

    def end(
        self, state: _State, members: Members, t: int, rows: tuple[torch.Tensor, torch.Tensor]
    ) -> None:
        """Train fresh nets on the store."""
        state.learned = members.build("gdumb", t)
        if state.memory.kept:
            self.learn(state, members, state.learned)

    def learn(self, state: _State, members: Members, nets: StackedMLP) -> None:
        """Train nets on what the store holds (drimpossible/GDumb: main.py)."""
        memory, size = state.memory, members.problem.batch_size
        optimiser = optimisers.sgd(nets.parameters(), self.lr, self.momentum, 0.0)
        total, done = self.passes * math.ceil(memory.kept / size), 0
        x, y = memory.x[:, : memory.kept], memory.y[:, : memory.kept]
        for number in range(self.passes):
            order = torch.stack([torch.randperm(memory.kept, generator=g) for g in state.orders])
            for rows in order.to(members.device).split(size, 1):
                rate = self.lr * (1 + math.cos(math.pi * done / total)) / 2
                optimisers.set_rate(optimiser, rate if number else 0.1 * self.lr)
                optimiser.zero_grad(set_to_none=True)
                optimisers.descend(cross_entropy(nets(beside(x, rows)), y.gather(1, rows)))
                clipped(list(nets.parameters()), self.clip)
                optimiser.step()
                done += 1
        members.count(forward=self.passes * memory.kept, backward=self.passes * memory.kept)

    def readout(self, state: _State, members: Members, k: int) -> Model:
        """Return the net that learned the store."""
        return (state.learned or members.nets).member(k)


def clipped(weights: list[torch.Tensor], longest: float) -> None:
    """Scale the gradients of each of K nets down to this length, where they are longer; every
    weight is (K, ...).
    """
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    length = sum(own.flatten(1).square().sum(1) for own in gradients) ** 0.5
    scale = (longest / (length + 1e-6)).clamp_max(1)
    for own in gradients:
        own.mul_(scale.view(-1, *[1] * (own.dim() - 1)))


def balance(memory: Memory, x: torch.Tensor, y: torch.Tensor, t: int, keys: torch.Tensor) -> None:
    """Offer rows (K, B, ...) with labels and random keys (K, B): kept are, of all rows, the first
    in each class by key, then the second of each, until the places are full.

    So classes are as equal as they can be, and within a class every row had the same chance.
    """
    used, size = memory.kept, y.shape[1]
    labels = torch.cat([memory.y[:, :used], y], 1)
    drawn = torch.cat([memory.logits[:, :used, 0], keys], 1)
    same = labels[:, :, None] == labels[:, None]
    rank = (same & (drawn[:, None] < drawn[:, :, None])).sum(2)
    order = (rank + drawn).argsort(1)[:, : memory.capacity]
    stays = torch.zeros_like(drawn, dtype=torch.bool).scatter_(1, order, True)
    # places in the order in which they are given away: empty or lost ones first
    taken = torch.zeros_like(memory.y, dtype=torch.bool)
    taken[:, :used] = stays[:, :used]
    free = taken.int().argsort(dim=1, stable=True)
    new = stays[:, used:]
    count = (new.cumsum(1) - 1).clamp_min(0)
    memory.seen += size
    memory.write(torch.where(new, free.gather(1, count), -1), x, y, t, keys[..., None])
