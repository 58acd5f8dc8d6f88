"""Undersampling of large classes (doi:10.3233/IDA-2002-6504)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from bench import MethodCard
from bench.training.recipe import Recipe, Seeds, streams


class _State:
    """Each member's generator, and the labels (K, N)."""

    def __init__(self, seeds: Seeds) -> None:
        self.draws, self.y = streams(seeds.runs, "rows"), seeds.y.cpu().numpy()


class Undersample(Recipe):
    """Train an epoch on as many rows of each class as the smallest has, drawn anew each time."""

    card: ClassVar = MethodCard(
        name="undersample",
        title="Undersampling of large classes",
        track="long-tail",
        paper="doi:10.3233/IDA-2002-6504",
        bibtex="""@article{japkowicz2002class,
  title = {The Class Imbalance Problem: A Systematic Study},
  author = {Japkowicz, Nathalie and Stephen, Shaju},
  journal = {Intelligent Data Analysis},
  volume = {6},
  number = {5},
  year = {2002}
}""",
        claim="Leaving out rows of large classes balances at no cost but that of what they tell.",
        deviates="Rows are drawn anew for each epoch, and visited again within it until it has as "
        "many steps as the others'.",
        signal="labels",
        stacked=True,
        defaults_from="here",
    )

    def start(self, seeds: Seeds) -> _State:
        """Set up the private streams."""
        return _State(seeds)

    def rows(self, state: _State, epoch: int, orders: torch.Tensor) -> torch.Tensor:
        """Return the drawn rows, in one order after another, until there are as many (K, N)."""
        n = orders.shape[1]
        drawn = [_balanced(y, n, draw) for y, draw in zip(state.y, state.draws, strict=True)]
        return torch.from_numpy(np.stack(drawn)).to(orders.device)


def _balanced(y: np.ndarray, n: int, draw: np.random.Generator) -> np.ndarray:
    """Return ``n`` rows of labels ``y`` (N,): a subset with equal classes, over and over."""
    order = np.lexsort((draw.random(len(y)), y))
    _, first, counts = np.unique(y[order], return_index=True, return_counts=True)
    chosen = order[np.arange(len(y)) - first.repeat(counts) < counts.min()]
    times = -(-n // len(chosen))
    return chosen[draw.random((times, len(chosen))).argsort(1)].reshape(-1)[:n]
