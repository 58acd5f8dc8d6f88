"""Digits as nodes, and edges between them whose ends' classes follow a pattern."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

DIGITS = 10
PARTNERS, INSIDE = 2, 0.81
"""Partners that each node draws in the base graph, and the chance that one is of its class."""


def base_pairs(y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return pairs (2, 2 n): each node draws two partners, with chance .81 of its class."""
    first = np.repeat(np.arange(len(y)), PARTNERS)
    inside = generator.random(len(first)) < INSIDE
    # of another class: any node outside the node's own, by its place among these
    order, counts = np.argsort(y, kind="stable"), np.bincount(y, minlength=DIGITS)
    own, starts = y[first], counts.cumsum() - counts
    place = (generator.random(len(first)) * (len(y) - counts[own])).astype(np.int64)
    other = order[place + np.where(place >= starts[own], counts[own], 0)]
    second = np.where(inside, of_class(y, own, generator), other)
    return np.stack([first, second])


def pattern_pairs(
    y: np.ndarray, count: int, gamma: float, generator: np.random.Generator
) -> np.ndarray:
    """Return pairs (2, count): a node i drawn uniformly, a class one above or below its own (mod
    10), with chance ``gamma`` any class instead, and a node drawn uniformly from that class.
    """
    first = generator.integers(len(y), size=count)
    step = np.where(generator.random(count) < 0.5, 1, -1)
    near = (y[first] + step) % DIGITS
    target = np.where(generator.random(count) < gamma, generator.integers(DIGITS, size=count), near)
    return np.stack([first, of_class(y, target, generator)])


def of_class(y: np.ndarray, target: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return for each of the classes ``target`` (m,) a node of it, drawn uniformly (m,)."""
    order = np.argsort(y, kind="stable")
    counts = np.bincount(y, minlength=DIGITS)
    starts = counts.cumsum() - counts
    place = (generator.random(len(target)) * counts[target]).astype(np.int64)
    found: np.ndarray = order[starts[target] + place]
    return found


def expected(y: np.ndarray, count: int, gamma: float) -> np.ndarray:
    """Return how many neighbours of class b a node of class a has in the mean (10, 10), of the
    base graph and ``count`` pairs of the pattern.
    """
    n, sizes = len(y), np.bincount(y, minlength=DIGITS).astype(float)
    outside = 1 - INSIDE
    draws = PARTNERS * outside * sizes[None] / (n - sizes)[:, None]
    base = draws + draws.T * sizes[None] / sizes[:, None]
    np.fill_diagonal(base, 2 * PARTNERS * INSIDE)
    chance = np.full((DIGITS, DIGITS), gamma / DIGITS)
    for a in range(DIGITS):
        for step in (1, -1):
            chance[a, (a + step) % DIGITS] += (1 - gamma) / 2
    drawn = count / n * chance
    found: np.ndarray = base + drawn + drawn.T * sizes[None] / sizes[:, None]
    return found


def log_posterior(neighbours: np.ndarray, rates: np.ndarray, sizes: Sequence[float]) -> np.ndarray:
    """Return log p(class | neighbours' classes) up to a constant (n, 10): Poisson numbers of
    neighbours of each class.

    Args:
        neighbours: how many of each class a node has (n, 10).
        rates: the mean numbers of a node of each class (10, 10).
        sizes: nodes of each class (10,).
    """
    found: np.ndarray = np.log(sizes) + neighbours @ np.log(rates).T - rates.sum(1)
    return found
