"""Supervised contrastive learning on features behind a ReLU (arXiv:2306.07960)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.training import optimisers
from bench.training.recipe import Batch, Recipe, Seeds, cross_entropy, train_step
from bench.training.stack import StackedNet


class _State:
    """What is trained on, and the rows that are bound to each batch (K, 2 C)."""

    def __init__(self, seeds: Seeds, bind: bool) -> None:
        self.seeds = seeds
        classes = seeds.problem.n_classes if bind else 0
        order = seeds.y.argsort(dim=1, stable=True)
        starts = F.one_hot(seeds.y, seeds.problem.n_classes).sum(1).cumsum(1)
        sizes = F.one_hot(seeds.y, seeds.problem.n_classes).sum(1)
        first = starts - sizes
        # a class of one row is bound with that row twice
        second = first + (sizes - 1).clamp(0, 1)
        places = torch.cat([first, second], 1).clamp_max(seeds.n_rows - 1)
        self.bound = order.gather(1, places)[:, : 2 * classes]


class SclRelu(Recipe):
    """Train normalised ReLU features by the supervised contrastive loss, then a linear head on
    them, frozen.
    """

    card: ClassVar = MethodCard(
        name="scl-relu",
        title="Supervised contrastive loss on ReLU features",
        track="long-tail",
        paper="arXiv:2306.07960",
        bibtex="""@inproceedings{kini2024symmetric,
  title = {Symmetric Neural-Collapse Representations with Supervised Contrastive Loss: The Impact of
    ReLU and Batching},
  author = {Kini, Ganesh Ramachandra and Vakilian, Vala and Behnia, Tina and Gill, Jaidev and
    Thrampoulidis, Christos},
  booktitle = {ICLR},
  year = {2024},
  eprint = {2306.07960},
  archivePrefix = {arXiv}
}""",
        claim="Behind a ReLU the class means become orthogonal, however long the tail; rows of all "
        "classes in each batch make them so faster.",
        deviates="The abstract alone was read. The claim is about geometry; tau, the head on "
        "features over tau, its share of the epochs and its rate, which starts anew, are chosen "
        "here.",
        signal="features",
        stacked=True,
        defaults_from="here",
        trials=3,
        tuning={"tau": (0.05, 0.1, 0.2), "share": (0.5, 0.7, 0.9)},
    )
    settings: ClassVar = {"bound": {"bind": True}}
    tau: Annotated[float, Meta(gt=0)] = 0.1
    """Temperature of the contrastive loss."""
    share: Annotated[float, Meta(ge=0, lt=1)] = 0.7
    """Share of the epochs that train the features."""
    bind: bool = False
    """Add two fixed rows of every class to each batch."""

    def start(self, seeds: Seeds) -> _State:
        """Choose the rows to bind."""
        return _State(seeds, self.bind)

    def contrasts(self, state: _State, batch: Batch) -> bool:
        """Say whether the epoch trains features."""
        return batch.epoch < int(self.share * state.seeds.problem.epochs)

    def step(
        self, state: _State, nets: StackedNet, optimiser: torch.optim.Optimizer, batch: Batch
    ) -> None:
        """Take a step; the head's rate falls over its own epochs."""
        problem, steps = state.seeds.problem, state.seeds.steps
        if not self.contrasts(state, batch):
            first = int(self.share * problem.epochs)
            done = ((batch.epoch - first) * steps + batch.step) / (steps * (problem.epochs - first))
            optimisers.set_rate(optimiser, problem.schedule.rate(problem.lr, batch.epoch, done))
        train_step(self, nets, optimiser, state, batch)

    def forward(self, state: _State, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return features of length 1 (K, B + bound, D), later logits (K, B, C)."""
        if not self.contrasts(state, batch):
            return nets.head((F.normalize(nets.features(batch.x), dim=-1) / self.tau).detach())
        x = batch.x
        if self.bind:
            bound = state.bound.shape[1]
            state.seeds.count(forward=bound, backward=bound)
            x = torch.cat([x, state.seeds.inputs(state.bound)], 1)
        return F.normalize(nets.features(x), dim=-1)

    def loss(self, state: _State, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Return the contrastive loss of each row, later the cross entropy."""
        if not self.contrasts(state, batch):
            return cross_entropy(logits, batch.y)
        y = torch.cat([batch.y, state.seeds.y.gather(1, state.bound)], 1)
        return contrast(logits, y, self.tau)

    def readout(self, state: _State, nets: StackedNet, k: int) -> torch.nn.Module:
        """Return net ``k`` with its head on features of length 1 / tau."""
        return _Normalised(nets.member(k), self.tau)


class _Normalised(torch.nn.Module):
    """A net whose head reads features of length 1 / tau, as the contrast does: on shorter ones the
    rate of the task does not fit a head in some epochs.
    """

    def __init__(self, net: torch.nn.Module, tau: float) -> None:
        super().__init__()
        self.net, self.tau = net, tau

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return the features of inputs (n, ...), (n, D)."""
        return F.normalize(self.net.features(x), dim=-1)  # type: ignore[operator]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits (n, C)."""
        found: torch.Tensor = self.net.head(self.features(x) / self.tau)  # type: ignore[operator]
        return found


def contrast(features: torch.Tensor, y: torch.Tensor, tau: float) -> torch.Tensor:
    """Return the supervised contrastive loss of each row (K, B): the mean over the other rows of
    its class of -log of their share among all other rows; 0 for a row alone in its class.

    Source: arXiv:2004.11362, equation 2.
    """
    itself = torch.eye(features.shape[1], dtype=torch.bool, device=features.device)
    close = (torch.bmm(features, features.mT) / tau).masked_fill(itself, -torch.inf)
    log_share = close.log_softmax(-1).masked_fill(itself, 0.0)
    friends = ((y[:, :, None] == y[:, None, :]) & ~itself).to(features.dtype)
    return -(friends * log_share).sum(-1) / friends.sum(-1).clamp_min(1)
