"""Labelled examples as tensors, and how they are split and standardised."""

from __future__ import annotations

import msgspec
import numpy as np
import torch


class Examples(msgspec.Struct, frozen=True):
    """Labelled examples, whole on one device.

    Attributes:
        x: inputs (n, channels, height, width), uint8, or (n, d) float32.
        y: labels (n,), int64 in [0, classes).
        classes: number of classes.
    """

    x: torch.Tensor
    y: torch.Tensor
    classes: int


def stratified_split(
    y: np.ndarray, n_test: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into train and test with each class in proportion (largest remainder), both
    sorted.

    Args:
        y: labels (n,).
        n_test: exact size of the test part, between 1 and n - 1.
        generator: draws which rows of a class are test rows.

    Returns:
        The row numbers of the train part (n - n_test,) and the test part (n_test,).
    """
    classes, counts = np.unique(y, return_counts=True)
    quota = counts * n_test / len(y)
    take = np.floor(quota).astype(int)
    take[np.argsort(-(quota - take), kind="stable")[: n_test - take.sum()]] += 1
    test = np.concatenate(
        [
            generator.permutation(np.flatnonzero(y == c))[:k]
            for c, k in zip(classes, take, strict=True)
        ]
    )
    return np.setdiff1d(np.arange(len(y)), test), np.sort(test)


def standardised(
    train: torch.Tensor, *others: torch.Tensor, by_channel: bool = False
) -> list[torch.Tensor]:
    """Return float32 copies of all, shifted and scaled by mean and standard deviation of ``train``.

    There is one of each for pictures, or one a channel (n, channels, ...); for a table (n, d) one a
    column.
    """
    reference = train.float()
    if by_channel or reference.dim() == 2:
        axes = [axis for axis in range(reference.dim()) if axis != 1]
        mean, std = (
            reference.mean(axes, keepdim=True),
            reference.std(axes, keepdim=True).clamp_min(1e-8),
        )
    else:
        mean, std = reference.mean(), reference.std().clamp_min(1e-8)
    return [(part.float() - mean).div_(std) for part in (train, *others)]


class RatedTexts(msgspec.Struct, frozen=True):
    """Short texts, each rated by several people.

    Attributes:
        texts: n of them.
        ratings: (n, people), int8. Columns need not be the same person throughout.
    """

    texts: list[str]
    ratings: torch.Tensor
