"""Noise models: from true labels to given ones.

Pure functions of their arguments; all numbers come from the generator.

Notation: N rows, C classes, ``y`` int64 (N,) in [0, C), ``rate`` in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

DIGITS_CONFUSIONS = {7: 1, 2: 7, 5: 6, 6: 5, 3: 8}
"""Digits that look alike, as used for MNIST by Patrini et al. (2017)."""

LONG_TAILED = ("lt_imb", "tail_sym")
"""Models that thin the classes to a long tail before they move labels."""

Generator = np.random.Generator


def drawn_rows(
    name: str, y: np.ndarray, *, rate: float, classes: int, imbalance: float, generator: Generator
) -> np.ndarray:
    """Return the rows of ``y`` (N,) that the training set of the noise model ``name`` is made of,
    possibly fewer or more than N.

    Most models take every row once. ``lt_imb`` and ``tail_sym`` keep floor(n_max imbalance^(-c / (C
    - 1))) rows of class c, or all where there are fewer, but one at least; ``dilute`` adds rate /
    (1 - rate) copies of each row (a last, broken copy is a random part).

    Raises:
        ValueError: ``imbalance`` is below 1, or all rows are to be copies.
    """
    everyone = np.arange(len(y))
    if name in LONG_TAILED:
        if imbalance < 1:
            raise ValueError(
                f"the imbalance is {imbalance:g}; it is the size of the first class over that of "
                "the last and at least 1."
            )
        parts = _by_class(y, classes)
        largest = max(map(len, parts))
        sizes = [
            max(1, int(largest * imbalance ** (-c / max(1, classes - 1)) + 1e-9))
            for c in range(classes)
        ]
        return np.sort(
            np.concatenate(
                [
                    generator.permutation(part)[:size]
                    for part, size in zip(parts, sizes, strict=True)
                ]
            )
        )
    if name == "dilute":
        if not 0 <= rate < 1:
            raise ValueError(
                f"the noise rate is {rate}; dilute adds rate / (1 - rate) copies, so it must be "
                "from 0 to below 1."
            )
        copies, rest = divmod(round(len(y) * rate / (1 - rate)), max(1, len(y)))
        return np.concatenate(
            [np.tile(everyone, 1 + copies), np.sort(generator.permutation(everyone)[:rest])]
        )
    return everyone


def sym(y: np.ndarray, rate: float, classes: int, generator: Generator) -> np.ndarray:
    """Exclusive symmetric noise, exact: round(rate n_c) rows of each class
    move to one of the other C - 1, uniformly.
    """
    noisy = y.copy()
    for rows in _by_class(y, classes):
        chosen = generator.permutation(rows)[: round(rate * len(rows))]
        noisy[chosen] = (y[chosen] + generator.integers(1, classes, len(chosen))) % classes
    return noisy


def sym_incl(y: np.ndarray, rate: float, classes: int, generator: Generator) -> np.ndarray:
    """Inclusive symmetric noise: ceil(rate N) rows get a label uniform
    over all C, so rate (C - 1) / C of all end up wrong.
    """
    noisy = y.copy()
    chosen = generator.permutation(len(y))[: int(np.ceil(rate * len(y) - 1e-9))]
    noisy[chosen] = generator.integers(0, classes, len(chosen))
    return noisy


def sym_iid(y: np.ndarray, rate: float, classes: int, generator: Generator) -> np.ndarray:
    """Symmetric noise, each row by itself: 1 - rate on the diagonal of the
    transition matrix, rate / (C - 1) elsewhere.
    """
    wrong = generator.random(len(y)) < rate
    return np.where(wrong, (y + generator.integers(1, classes, len(y))) % classes, y)


def pair(y: np.ndarray, rate: float, classes: int, generator: Generator) -> np.ndarray:
    """Pair noise: each row moves to the next class with probability ``rate``."""
    return np.where(generator.random(len(y)) < rate, (y + 1) % classes, y)


def asym(
    y: np.ndarray,
    rate: float,
    classes: int,
    generator: Generator,
    confusions: Mapping[int, int] = DIGITS_CONFUSIONS,
) -> np.ndarray:
    """Asymmetric noise, exact: the first int(rate n_c) rows of a shuffle
    of each confused class move to its look-alike.
    """
    noisy = y.copy()
    for source, rows in enumerate(_by_class(y, classes)):
        if source in confusions and len(rows):
            if confusions[source] >= classes:
                raise ValueError(
                    f"asym moves class {source} to {confusions[source]}, which is none of "
                    f"{classes} classes; give it confusions of its own."
                )
            noisy[generator.permutation(rows)[: int(rate * len(rows) + 1e-9)]] = confusions[source]
    return noisy


def idn(
    y: np.ndarray, rate: float, classes: int, generator: Generator, x: np.ndarray
) -> np.ndarray:
    """Instance-dependent noise (Xia et al. 2020): where a row goes depends on the row.

    Each row has its own rate q ~ N(rate, 0.1^2) cut to (0, 1). One matrix (d, C) a true class gives
    scores x W; the true class is left out, a softmax times q says where the row goes. ``x`` (N, d)
    is standardised as for training.
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
        p = np.exp(
            scores - scores.max(1, keepdims=True, initial=-np.inf, where=np.isfinite(scores))
        )
        p *= q[rows, None] / p.sum(1, keepdims=True)
        p[:, c] = 1 - q[rows]
        noisy[rows] = (
            (p.cumsum(1) < generator.random(len(rows))[:, None]).sum(1).clip(0, classes - 1)
        )
    return noisy


def lt_imb(y: np.ndarray, rate: float, classes: int, generator: Generator) -> np.ndarray:
    """Imbalance-dependent noise: int(rate N) rows, drawn from all, move from class i to j with
    probability n_j / sum_{k != i} n_k: the tail flows to the head.
    """
    noisy = y.copy()
    chosen = generator.permutation(len(y))[: int(rate * len(y) + 1e-9)]
    weight = np.tile(np.bincount(y, minlength=classes).astype(np.float64), (classes, 1))
    np.fill_diagonal(weight, 0)
    # the only class there is: any other will do
    weight[weight.sum(1) == 0] = 1 - np.eye(classes)[weight.sum(1) == 0]
    noisy[chosen] = _sampled(weight / weight.sum(1, keepdims=True), y[chosen], generator)
    return noisy


def dilute(y: np.ndarray, rate: float, classes: int, generator: Generator) -> np.ndarray:
    """Dilution (arXiv:1705.10694): the last round(rate N) rows, the copies that :func:`drawn_rows`
    appends, get labels uniform over all C.
    """
    noisy = y.copy()
    copies = round(rate * len(y))
    noisy[len(y) - copies :] = generator.integers(0, classes, copies)
    return noisy


def confusion(
    y: np.ndarray, rate: float, classes: int, generator: Generator, x: np.ndarray
) -> np.ndarray:
    """Noise along the confusions of a cheap model: each row moves with probability ``rate``, to
    where that model errs from its class.

    The model takes a row for the class of the nearest mean, judged on folds it was not fitted to.
    Its confusion matrix, without the diagonal and each row summing to 1, says where a class goes; a
    class that it never mistakes goes anywhere. ``x`` is (N, d).
    """
    wrong = _fold_confusions(x.astype(np.float64), y, classes, generator)
    np.fill_diagonal(wrong, 0)
    wrong[wrong.sum(1) == 0] = 1 - np.eye(classes)[wrong.sum(1) == 0]
    moves = generator.random(len(y)) < rate
    return np.where(moves, _sampled(wrong / wrong.sum(1, keepdims=True), y, generator), y)


def _fold_confusions(
    x: np.ndarray, y: np.ndarray, classes: int, generator: Generator, folds: int = 5
) -> np.ndarray:
    """Return how often class i is nearest to the mean of class j (C, C),
    each row judged by the means of the other folds.
    """
    fold = generator.permutation(len(y)) % folds
    counts = np.zeros((classes, classes))
    member = np.eye(classes)[y]
    for part in range(folds):
        inside, outside = fold == part, fold != part
        sizes = member[outside].sum(0)
        means = member[outside].T @ x[outside] / np.maximum(sizes, 1)[:, None]
        distance = (means**2).sum(1) - 2 * x[inside] @ means.T
        distance[:, sizes == 0] = np.inf
        if sizes.any():
            np.add.at(counts, (y[inside], distance.argmin(1)), 1)
    return counts


def _sampled(rows: np.ndarray, y: np.ndarray, generator: Generator) -> np.ndarray:
    """Return for each label i a draw from the distribution in row i (C,
    C); classes of probability 0 are never drawn.
    """
    steps = rows.cumsum(1)
    steps /= steps[:, -1:]
    return (steps[y] <= generator.random(len(y))[:, None]).sum(1)


def _by_class(y: np.ndarray, classes: int) -> list[np.ndarray]:
    return [np.flatnonzero(y == c) for c in range(classes)]


MODELS: dict[str, Callable[..., np.ndarray]] = {
    "sym": sym,
    "sym_incl": sym_incl,
    "sym_iid": sym_iid,
    "pair": pair,
    "asym": asym,
    "idn": idn,
    "lt_imb": lt_imb,
    "tail_sym": sym,
    "confusion": confusion,
    "dilute": dilute,
}
"""Noise models by name. Those that look at the inputs take ``x`` too."""

_BY_INPUT = ("idn", "confusion")


def corrupt(
    name: str,
    y: np.ndarray,
    *,
    rate: float,
    classes: int,
    generator: Generator,
    x: np.ndarray | None = None,
) -> np.ndarray:
    """Return given labels (N,) for the true labels ``y`` under the noise model ``name``.

    Raises:
        ValueError: there is no such model, the rate is outside [0, 1], or there are fewer than two
            classes.
    """
    if name == "human":
        raise ValueError(
            "these data have no labels by several people, so noise 'human' has nothing to take "
            "them from; noisy-cifar10 and noisy-cifar100 have."
        )
    if name not in MODELS:
        raise ValueError(f"there is no noise model {name!r}; there are {', '.join(MODELS)}.")
    if not 0 <= rate <= 1:
        raise ValueError(f"the noise rate is {rate}; it must be from 0 to 1.")
    if classes < 2:
        raise ValueError(f"noise needs two classes to move between, there is {classes}.")
    y = y.astype(np.int64)
    inputs = ([x if x is not None else np.zeros((len(y), 1))]) if name in _BY_INPUT else []
    return MODELS[name](y, rate, classes, generator, *inputs).astype(np.int64)


def transitions(y: np.ndarray, noisy: np.ndarray, classes: int) -> np.ndarray:
    """Return how often true class i was given label j, (C, C) int64."""
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (y, noisy), 1)
    return counts
