"""Datasets with a test part of their own."""

from __future__ import annotations

import torch

from bench import Setup
from bench.training.data import Examples, standardised, stratified_split

from ._task import Pool


def official(run: Setup, name: str, n_pool: int, by_channel: bool = False) -> Pool:
    """Return a pool of a dataset's training rows, 0: all, and its own test rows."""
    train: Examples = run.dataset(name, split="train")
    test: Examples = run.dataset(name, split="test")
    x, y = train.x, train.y
    if 0 < n_pool < len(y):
        _, some = stratified_split(y.cpu().numpy(), n_pool, run.numpy_generator("split", "pool"))
        x, y = x[torch.from_numpy(some)], y[torch.from_numpy(some)]
    own, other = standardised(x, test.x, by_channel=by_channel)
    return Pool(x=own, answers=y, true=y, x_test=other, y_test=test.y, shown=x)
