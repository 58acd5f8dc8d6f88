"""Progressive data expansion (arXiv:2306.04949)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import torch

from bench import Meta, MethodCard
from bench.tracks.group_shift import Batch, GroupMethod, Seeds
from bench.training import optimisers
from bench.training.stack import StackedNet

from .subg import equal_groups


class _State:
    """Rows of each member in the order in which they join, how many did at first, and the stream of
    the orders.
    """

    def __init__(self, seeds: Seeds) -> None:
        self.device, self.lr, self.epochs = seeds.device, seeds.problem.lr, seeds.problem.epochs
        self.joining, self.first = [], []
        for group, run in zip(seeds.group.cpu().numpy(), seeds.runs, strict=True):
            generator = run.numpy_generator("method", "rows")
            kept = equal_groups(group, generator)
            rest = np.setdiff1d(np.arange(len(group)), kept)
            self.joining.append(np.concatenate([kept, generator.permutation(rest)]))
            self.first.append(len(kept))
        self.orders = [run.numpy_generator("method", "orders") for run in seeds.runs]


class ProgressiveExpansion(GroupMethod):
    """Begin with equally many rows of each group, then let others join a few at a time."""

    card: ClassVar = MethodCard(
        name="pde",
        title="Progressive data expansion",
        track="group-shift",
        paper="arXiv:2306.04949",
        bibtex="""@inproceedings{deng2023pde,
  title = {Robust Learning with Progressive Data Expansion Against Spurious Correlation},
  author = {Deng, Yihe and Yang, Yu and Mirzasoleiman, Baharan and Gu, Quanquan},
  booktitle = {NeurIPS},
  year = {2023},
  eprint = {2306.04949},
  archivePrefix = {arXiv}
}""",
        claim="Learning the core feature from balanced rows first, and the rest later, gains 2.8 "
        "points on the worst group and up to a tenth of the time.",
        official_code="flawed",
        deviates="Rows join without replacement; the official code may draw one twice. At most a "
        "tenth of all rows join. As many steps as the other methods: an epoch goes through the "
        "rows present several times.",
        needs=("train-groups",),
        signal="groups",
        stacked=True,
        defaults_from="here",
        trials=2,
    )
    warm_up: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """Share of the epochs on balanced rows alone."""
    interval: Annotated[int, Meta(ge=1)] = 2
    """Epochs between joinings."""
    joins: Annotated[int, Meta(ge=0)] = 40
    """Rows that join at once."""
    cap: Annotated[float, Meta(ge=0, le=1)] = 0.1
    """Share of all rows that may join."""
    factor: Annotated[float, Meta(gt=0, le=1)] = 0.01
    """Factor of the learning rate after the warm-up."""

    def start(self, seeds: Seeds) -> _State:
        """Choose the balanced rows and the order of the others."""
        return _State(seeds)

    def joined(self, epoch: int, epochs: int, rows: int) -> int:
        """Return how many rows have joined by an epoch (from 0) of so many, of so many rows."""
        since = epoch - round(self.warm_up * epochs)
        times = since // self.interval + 1 if since >= 0 else 0
        return min(times * self.joins, int(self.cap * rows))

    def rows(self, state: _State, epoch: int, orders: torch.Tensor) -> torch.Tensor:
        """Return passes over the rows present, one after the other, as long as an epoch is."""
        count = orders.shape[1]
        more = self.joined(epoch, state.epochs, count)
        found = []
        for joining, first, own in zip(state.joining, state.first, state.orders, strict=True):
            at_hand = joining[: first + more]
            passes = [own.permutation(at_hand) for _ in range(-(-count // len(at_hand)))]
            found.append(np.concatenate(passes)[:count])
        return torch.from_numpy(np.stack(found)).to(state.device)

    def step(
        self, state: _State, nets: StackedNet, optimiser: torch.optim.Optimizer, batch: Batch
    ) -> None:
        """Move the nets by one batch, at a lower rate after the warm-up."""
        if batch.epoch >= round(self.warm_up * state.epochs):
            optimisers.set_rate(optimiser, state.lr * self.factor)
        super().step(state, nets, optimiser, batch)

    def finish(self, state: _State, seeds: Any) -> list[dict[str, Any]]:
        """Say nothing of rows: the method was told their groups."""
        return [{} for _ in state.first]
