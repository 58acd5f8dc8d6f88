"""The parts that the images of a dataset are cut into."""

from __future__ import annotations

import numpy as np
import torch

from bench.training.data import stratified_split

Part = tuple[torch.Tensor, torch.Tensor]
"""Images (n, channels, height, width) in [0, 1] and labels (n,)."""


def pooled(x: torch.Tensor, side: int, white: float | None = None) -> torch.Tensor:
    """Return images as float32 in [0, 1], averaged over squares of ``side`` pixels.

    ``white`` is 1, the brightest value of the data unless given.
    """
    images = x.float() / float(x.max() if white is None else white)
    return torch.nn.functional.avg_pool2d(images, side) if side > 1 else images


def split(
    y: np.ndarray, n_train: int, generator: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw the rows of train, validation (a tenth of the rest) and test (a
    fifth), class by class in proportion.
    """
    rest, test = stratified_split(y, len(y) // 5, generator)
    train, val = stratified_split(y[rest], len(rest) // 10, generator)
    if 0 < n_train < len(train):
        train = train[stratified_split(y[rest][train], n_train, generator)[1]]
    return torch.from_numpy(rest[train]), torch.from_numpy(rest[val]), torch.from_numpy(test)


def held_out(
    images: torch.Tensor, given: torch.Tensor, share: float, generator: np.random.Generator
) -> tuple[Part, Part]:
    """Return what is left of training images (N, ...) and their given labels (N,), and a share of
    them, class by class in proportion.
    """
    parts = stratified_split(given.cpu().numpy(), max(1, round(share * len(given))), generator)
    kept, held = (torch.from_numpy(rows).to(given.device) for rows in parts)
    return (images[kept], given[kept]), (images[held], given[held])
