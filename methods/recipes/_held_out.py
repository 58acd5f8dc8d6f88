"""Rows that a method holds out of its own training rows."""

from __future__ import annotations

import torch

from bench.training.data import stratified_split
from bench.training.recipe import Seeds


def split(seeds: Seeds, share: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the rows to train on (K, N - h) and those held out (K, h), which are the given share
    in proportion by class, at least one row and at most all but one.
    """
    count = min(max(1, round(share * seeds.n_rows)), seeds.n_rows - 1)
    parts = [
        stratified_split(problem.y.cpu().numpy(), count, run.numpy_generator("method", "held out"))
        for problem, run in zip(seeds.problems, seeds.runs, strict=True)
    ]
    kept, held = (
        torch.stack([torch.from_numpy(rows) for rows in side]).to(seeds.device)
        for side in zip(*parts, strict=True)
    )
    return kept, held
