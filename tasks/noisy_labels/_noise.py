"""Noise models: from true labels to given ones. Pure functions of their arguments; all numbers come from the generator.

Notation: N rows, C classes, ``y`` int64 (N,) in [0, C), ``rate`` in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

DIGITS_CONFUSIONS = {7: 1, 2: 7, 5: 6, 6: 5, 3: 8}
"""Digits that look alike, as used for MNIST by Patrini et al. (2017)."""

Generator = np.random.Generator


def sym(y: np.ndarray, rate: float, classes: int, generator: Generator) -> np.ndarray:
    """Exclusive symmetric noise, exact: round(rate n_c) rows of each class move to one of the other C - 1, uniformly."""
    noisy = y.copy()
    for rows in _by_class(y, classes):
        chosen = generator.permutation(rows)[: round(rate * len(rows))]
        noisy[chosen] = (y[chosen] + generator.integers(1, classes, len(chosen))) % classes
    return noisy


def sym_incl(y: np.ndarray, rate: float, classes: int, generator: Generator) -> np.ndarray:
    """Inclusive symmetric noise: ceil(rate N) rows get a label uniform over all C, so rate (C - 1) / C of all end up wrong."""
    noisy = y.copy()
    chosen = generator.permutation(len(y))[: int(np.ceil(rate * len(y) - 1e-9))]
    noisy[chosen] = generator.integers(0, classes, len(chosen))
    return noisy


def sym_iid(y: np.ndarray, rate: float, classes: int, generator: Generator) -> np.ndarray:
    """Symmetric noise, each row by itself: 1 - rate on the diagonal of the transition matrix, rate / (C - 1) elsewhere."""
    wrong = generator.random(len(y)) < rate
    return np.where(wrong, (y + generator.integers(1, classes, len(y))) % classes, y)


def pair(y: np.ndarray, rate: float, classes: int, generator: Generator) -> np.ndarray:
    """Pair noise: each row moves to the next class with probability ``rate``."""
    return np.where(generator.random(len(y)) < rate, (y + 1) % classes, y)


def asym(y: np.ndarray, rate: float, classes: int, generator: Generator, confusions: Mapping[int, int] = DIGITS_CONFUSIONS) -> np.ndarray:
    """Asymmetric noise, exact: the first int(rate n_c) rows of a shuffle of each confused class move to its look-alike."""
    noisy = y.copy()
    for source, rows in enumerate(_by_class(y, classes)):
        if source in confusions and len(rows):
            if confusions[source] >= classes:
                raise ValueError(f"asym moves class {source} to {confusions[source]}, which is none of {classes} classes; give it confusions of its own.")
            noisy[generator.permutation(rows)[: int(rate * len(rows) + 1e-9)]] = confusions[source]
    return noisy


def idn(y: np.ndarray, rate: float, classes: int, generator: Generator, x: np.ndarray) -> np.ndarray:
    """Instance-dependent noise (Xia et al. 2020): where a row goes depends on the row.

    Each row has its own rate q ~ N(rate, 0.1^2) cut to (0, 1). One matrix (d, C) a true class gives scores x W; the true
    class is left out, a softmax times q says where the row goes. ``x`` (N, d) is standardised as for training.
    """
    if rate == 0:
        return y.copy()
    q = generator.normal(rate, 0.1, len(y))
    while (outside := (q <= 0) | (q >= 1)).any():
        q[outside] = generator.normal(rate, 0.1, int(outside.sum()))
    noisy = y.copy()
    for c, rows in enumerate(_by_class(y, classes)):
        scores = x[rows].astype(np.float64) @ generator.standard_normal((x.shape[1], classes))
        scores[:, c] = -np.inf
        p = np.exp(scores - scores.max(1, keepdims=True, initial=-np.inf, where=np.isfinite(scores)))
        p *= q[rows, None] / p.sum(1, keepdims=True)
        p[:, c] = 1 - q[rows]
        noisy[rows] = (p.cumsum(1) < generator.random(len(rows))[:, None]).sum(1).clip(0, classes - 1)
    return noisy


def _by_class(y: np.ndarray, classes: int) -> list[np.ndarray]:
    return [np.flatnonzero(y == c) for c in range(classes)]


MODELS: dict[str, Callable[..., np.ndarray]] = {"sym": sym, "sym_incl": sym_incl, "sym_iid": sym_iid, "pair": pair, "asym": asym, "idn": idn}


def corrupt(name: str, y: np.ndarray, *, rate: float, classes: int, generator: Generator, x: np.ndarray | None = None) -> np.ndarray:
    """Return given labels (N,) for the true labels ``y`` under the noise model ``name``.

    Raises:
        ValueError: there is no such model, the rate is outside [0, 1], or there are fewer than two classes.
    """
    if name not in MODELS:
        raise ValueError(f"there is no noise model {name!r}; there are {', '.join(MODELS)}.")
    if not 0 <= rate <= 1:
        raise ValueError(f"the noise rate is {rate}; it must be from 0 to 1.")
    if classes < 2:
        raise ValueError(f"noise needs two classes to move between, there is {classes}.")
    y = y.astype(np.int64)
    noisy = idn(y, rate, classes, generator, x if x is not None else np.zeros((len(y), 1))) if name == "idn" else MODELS[name](y, rate, classes, generator)
    return noisy.astype(np.int64)


def transitions(y: np.ndarray, noisy: np.ndarray, classes: int) -> np.ndarray:
    """Return how often true class i was given label j, (C, C) int64."""
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (y, noisy), 1)
    return counts
