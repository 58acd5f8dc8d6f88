"""Rows that a method holds out of its own training rows."""

from __future__ import annotations

import numpy as np
import torch

from bench.training.data import stratified_split
from bench.training.recipe import Seeds


def split(seeds: Seeds, share: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the rows to train on (K, N - h) and those held out (K, h), which are the given share
    in proportion by class, at random of real targets, at least one row and at most all but one.
    """
    count = min(max(1, round(share * seeds.n_rows)), seeds.n_rows - 1)
    parts = [
        _parted(problem.y.cpu().numpy(), count, run.numpy_generator("method", "held out"))
        for problem, run in zip(seeds.problems, seeds.runs, strict=True)
    ]
    kept, held = (
        torch.stack([torch.from_numpy(rows) for rows in side]).to(seeds.device)
        for side in zip(*parts, strict=True)
    )
    return kept, held


def _parted(
    y: np.ndarray, count: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    if y.dtype.kind == "f":
        order = generator.permutation(len(y))
        return order[count:], order[:count]
    return stratified_split(y, count, generator)
