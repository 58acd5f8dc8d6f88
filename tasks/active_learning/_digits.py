"""The digits as a pool, and what may be wrong with it."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import torch

from bench import Setup
from bench.training.data import stratified_split


class Pictures(msgspec.Struct, frozen=True):
    """Pictures and labels, split.

    Attributes:
        x: of the pool (N, channels, H, W), float32, in [0, 1].
        y: their labels (N,), int64.
        x_test: of the test rows (T, channels, H, W).
        y_test: their labels (T,), int64.
    """

    x: torch.Tensor
    y: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor


def digits(run: Setup, n_pool: int) -> Pictures:
    """Return the digits, 359 of them for the test and ``n_pool`` of the others, 0: all."""
    data = run.dataset("digits")
    return split(data.x.float() / 16, data.y, 359, n_pool, run)


def split(x: torch.Tensor, y: torch.Tensor, n_test: int, n_pool: int, run: Setup) -> Pictures:
    """Return pictures (n, ...) with labels (n,), split class by class; of the pool ``n_pool`` rows,
    0: all.
    """
    train, test = stratified_split(y.cpu().numpy(), n_test, run.numpy_generator("split", "test"))
    if 0 < n_pool < len(train):
        labels = y.cpu().numpy()[train]
        train = train[stratified_split(labels, n_pool, run.numpy_generator("split", "pool"))[1]]
    own, others = torch.from_numpy(train), torch.from_numpy(test)
    return Pictures(x[own], y[own], x[others], y[others])


def fewer(y: torch.Tensor, share: float, drawn: np.random.Generator) -> torch.Tensor:
    """Return rows of labels (N,) of which class c keeps ``share`` to the power of c, as many for
    every seed, (k,), int64.
    """
    labels = y.cpu().numpy()
    parts = []
    for label in range(int(labels.max()) + 1):
        own = drawn.permutation(np.flatnonzero(labels == label))
        parts.append(own[: round(share**label * len(own))])
    return torch.from_numpy(np.concatenate(parts)).to(y.device)


def other_labels(
    y: torch.Tensor, chosen: np.ndarray, classes: int, drawn: np.random.Generator
) -> torch.Tensor:
    """Return labels (N,), those of the rows ``chosen`` (k,) another class, each as likely."""
    moved = y.clone()
    shift = torch.from_numpy(drawn.integers(1, classes, len(chosen))).to(y.device)
    rows = torch.from_numpy(chosen).to(y.device)
    moved[rows] = (y[rows] + shift) % classes
    return moved


def laid_over(
    x: torch.Tensor, y: torch.Tensor, share: float, drawn: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return pictures (N, ...) of which a share is laid over one of another class, half and half,
    labels (N,) that name one of both at random, and which rows these are (N,), bool.
    """
    labels = y.cpu().numpy()
    rows = drawn.permutation(len(labels))[: round(share * len(labels))]
    others = [drawn.choice(np.flatnonzero(labels != labels[row])) for row in rows]
    partners = np.array(others, dtype=np.int64)
    stranger = np.zeros(len(labels), dtype=bool)
    stranger[rows] = True
    other = np.where(drawn.random(len(rows)) < 0.5, labels[rows], labels[partners])
    here = torch.from_numpy(rows)
    mixed, given = x.clone(), y.clone()
    mixed[here] = (x[here] + x[torch.from_numpy(partners)]) / 2
    given[here] = torch.from_numpy(other).to(y)
    return mixed, given, torch.from_numpy(stranger).to(y.device)


def teacher(x: torch.Tensor, y: torch.Tensor, rows: int, run: Setup) -> torch.Tensor:
    """Return the probabilities (N, C) that a net of 16 hidden units, fitted to ``rows`` labelled
    rows of the pool, gives to rows (N, ...).
    """
    from sklearn.neural_network import MLPClassifier

    drawn = run.numpy_generator("corruption", "teacher")
    flat, labels = x.flatten(1).cpu().numpy(), y.cpu().numpy()
    own, some = stratified_split(labels, rows, drawn)
    del own
    net: Any = MLPClassifier(
        (16,), max_iter=300, tol=0.0, n_iter_no_change=300, random_state=int(drawn.integers(2**31))
    )
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is to stop at the limit
        net.fit(flat[some], labels[some])
    found = torch.zeros(len(y), int(labels.max()) + 1)
    found[:, torch.from_numpy(net.classes_)] = torch.from_numpy(net.predict_proba(flat)).float()
    return found.to(x.device)
