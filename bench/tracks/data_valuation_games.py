"""What sets of training rows are worth, many sets at once.

A game has n players and a value for every set of them. The games of learners fit all models of a
chunk in a few batched operations; each has a slow twin in the tests.

Shapes: M sets, P orders, n rows, V validation rows, d columns (the bias among them), C outputs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from bench.errors import InvalidRun
from bench.tracks.data_valuation import Problem, Utility
from bench.tracks.data_valuation_linear import (
    design,
    fit,
    gram,
    outputs_of,
)

__all__ = ["Game", "KnnGame", "LogregGame", "RidgeGame", "game_of", "score"]

Scored = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""What outputs (..., V, C) on rows with labels (V,) are worth: (...)."""

CHUNK = 1 << 23
"""Numbers that the largest tensor of a chunk may hold."""
REFRESH = 256
"""Steps after which inverses that were updated row by row are computed anew."""


class Game:
    """A set function, asked in batches; it counts the fits that it makes.

    Attributes:
        n: number of players.
        empty: value of the empty set.
        fits: models fitted so far.
        visits: rows that went into these fits, a row that updates a model once.
    """

    def __init__(self, n: int, empty: float = 0.0) -> None:
        self.n, self.empty, self.fits, self.visits = n, empty, 0, 0

    def values(self, masks: torch.Tensor) -> torch.Tensor:
        """Return the value of each set (M,), float64.

        Args:
            masks: who is in (M, n), bool.
        """
        self.fits += len(masks)
        self.visits += int(masks.sum())
        found = torch.cat([self._values(part) for part in masks.split(self._rows())])
        return torch.where(masks.any(1), found, self.empty)

    def prefixes(self, orders: torch.Tensor) -> torch.Tensor:
        """Return the values of the first 0, 1, ..., n players of each order, (P, n + 1), float64.

        Args:
            orders: permutations of the players (P, n), int64.
        """
        place = orders.argsort(1)
        sizes = torch.arange(1, self.n + 1, device=orders.device)
        found = [self.values(place[p] < sizes[:, None]) for p in range(len(orders))]
        return torch.cat([_filled(orders, self.empty), torch.stack(found)], 1)

    def whole(self) -> float:
        """Return the value of all players together."""
        return float(self.values(torch.ones(1, self.n, dtype=torch.bool, device=self.device))[0])

    @property
    def device(self) -> torch.device:
        """Where its masks are."""
        return torch.device("cpu")

    def _rows(self) -> int:
        return 4096

    def _values(self, masks: torch.Tensor) -> torch.Tensor:
        raise TypeError(f"{type(self).__name__} has no _values(self, masks); write one.")


def _filled(orders: torch.Tensor, value: float) -> torch.Tensor:
    return torch.full((len(orders), 1), value, dtype=torch.float64, device=orders.device)


def score(outputs: torch.Tensor, y: torch.Tensor, metric: str) -> torch.Tensor:
    """Return the utility of predictions, float64, of the leading shape (...).

    Args:
        outputs: of models on rows (..., V, C).
        y: labels or numbers (V,).
        metric: ``accuracy`` or ``negative-mse``.
    """
    if metric == "accuracy":
        return (outputs.argmax(-1) == y).double().mean(-1)
    return -(outputs[..., 0] - y.double()).square().mean(-1)


class _Learned(Game):
    """A game of a linear learner."""

    def __init__(
        self,
        utility: Utility,
        rows: tuple[torch.Tensor, torch.Tensor],
        judged: tuple[torch.Tensor, torch.Tensor],
        classes: int,
        scored: Scored | None = None,
    ) -> None:
        super().__init__(len(rows[1]), utility.empty)
        self.utility, self.y_judged = utility, judged[1]
        self.scored = scored or functools.partial(score, metric=utility.metric)
        self.x, self.x_judged = design(rows[0]), design(judged[0])
        self.y = outputs_of(rows[1], classes)

    @property
    def device(self) -> torch.device:
        """Where its masks are."""
        return self.x.device

    def _rows(self) -> int:
        d, c = self.x.shape[1], self.y.shape[1]
        return max(1, CHUNK // max(self.n * d, d * d, len(self.y_judged) * c))

    def _score(self, weights: torch.Tensor) -> torch.Tensor:
        return self.scored(self.x_judged @ weights, self.y_judged)


class RidgeGame(_Learned):
    """Least squares on one-hot labels or on numbers, with the penalty on the bias too."""

    def _values(self, masks: torch.Tensor) -> torch.Tensor:
        return self._score(torch.linalg.solve(*gram(self.x, self.y, masks, self.utility.lam)))

    def prefixes(self, orders: torch.Tensor) -> torch.Tensor:
        """Return the values of the first 0, 1, ..., n rows of each order, (P, n + 1), float64.

        All orders advance together; a row that joins changes inverse, weights and predictions by a
        rank-one update (Sherman and Morrison 1950).

        Args:
            orders: permutations of the rows (P, n), int64.
        """
        per = max(1, CHUNK // max(self.x.shape[1] ** 2, self.x_judged.shape[0] * self.y.shape[1]))
        return torch.cat([self._advance(part) for part in orders.split(per)])

    def _advance(self, orders: torch.Tensor) -> torch.Tensor:
        p, n = orders.shape
        self.fits += p * n
        self.visits += p * n
        found = [_filled(orders, self.empty)]
        state = self._at(orders, 0)
        for step in range(n):
            if step and step % REFRESH == 0:
                state = self._at(orders, step)
            inverse, weights, outputs = state
            x, y = self.x[orders[:, step]], self.y[orders[:, step]]
            moved = torch.bmm(inverse, x[:, :, None])[:, :, 0]
            scale = 1 / (1 + (x * moved).sum(1, keepdim=True))
            change = (y - torch.bmm(x[:, None], weights)[:, 0]) * scale
            weights.baddbmm_(moved[:, :, None], change[:, None])
            inverse.baddbmm_((moved * scale)[:, :, None], moved[:, None], alpha=-1)
            outputs.baddbmm_((moved @ self.x_judged.T)[:, :, None], change[:, None])
            found.append(self.scored(outputs, self.y_judged)[:, None])
        return torch.cat(found, 1)

    def _at(self, orders: torch.Tensor, step: int) -> tuple[torch.Tensor, ...]:
        """Return inverse (P, d, d), weights (P, d, C) and predictions (P, V, C) of the first
        ``step`` rows of each order, computed directly.
        """
        masks = torch.zeros(orders.shape, dtype=torch.bool, device=orders.device)
        masks.scatter_(1, orders[:, :step], True)
        matrix, right = gram(self.x, self.y, masks, self.utility.lam)
        inverse = torch.linalg.inv(matrix)
        weights = inverse @ right
        return inverse, weights, self.x_judged @ weights


class LogregGame(_Learned):
    """Multinomial logistic regression."""

    def _values(self, masks: torch.Tensor) -> torch.Tensor:
        safe = masks | ~masks.any(1, keepdim=True)  # the value of the empty set is given
        return self._score(fit(self.x, self.y, safe, self.utility.lam, tolerance=1e-6))


class KnnGame(Game):
    """The mean over validation rows of the share of the k nearest rows of the set that have their
    label, k in the denominator however small the set (arXiv:1908.08619, eq. 5); nothing is fitted.

    Args:
        utility: gives k and the value of the empty set.
        nearest: rows by their distance to each validation row (V, n), int64.
        matches: whether these have the label of the validation row (V, n).
    """

    def __init__(self, utility: Utility, nearest: torch.Tensor, matches: torch.Tensor) -> None:
        super().__init__(nearest.shape[1], utility.empty)
        self.k, self.nearest, self.matches = utility.k, nearest, matches.double()

    @property
    def device(self) -> torch.device:
        """Where its masks are."""
        return self.nearest.device

    def values(self, masks: torch.Tensor) -> torch.Tensor:
        """Return the value of each set (M,), float64; ``masks`` (M, n) say who is in."""
        fits, found = self.fits, super().values(masks)
        self.fits = fits
        return found

    def _rows(self) -> int:
        return max(1, CHUNK // self.nearest.numel())

    def _values(self, masks: torch.Tensor) -> torch.Tensor:
        inside = masks[:, self.nearest]
        counted = inside & (inside.cumsum(-1) <= self.k)
        return (counted * self.matches).sum(-1).mean(1) / self.k


def game_of(
    problem: Problem,
    judged: tuple[torch.Tensor, torch.Tensor] | None = None,
    scored: Scored | None = None,
) -> Game:
    """Return the game of a problem's utility.

    Args:
        problem: gives rows and utility.
        judged: other rows (n, ...) and labels (n,) to score models on than the validation rows.
        scored: what outputs (..., n, C) on these rows are worth (...), in place of the utility's
            metric.

    Raises:
        InvalidRun: the utility's learner has no outputs to score.
    """
    utility = problem.utility
    assert utility is not None, "the card asks for the utility"
    judged = judged or (problem.x_val, problem.y_val)
    if utility.learner == "knn":
        if scored is not None:
            raise InvalidRun(
                "the learner of the utility is 'knn', which fits no model whose outputs could be "
                "scored in another way; use learner=ridge or learner=logreg"
            )
        order = nearest(problem.x, judged[0])
        return KnnGame(utility, order, problem.y[order] == judged[1][:, None])
    kind: Any = {"ridge": RidgeGame, "logreg": LogregGame}[utility.learner]
    made: Game = kind(utility, (problem.x, problem.y), judged, problem.n_classes, scored)
    return made


def nearest(x: torch.Tensor, queries: torch.Tensor) -> torch.Tensor:
    """Return the rows by their distance to each query, (T, n), int64; of rows equally far the first
    comes first.

    Args:
        x: rows (n, ...).
        queries: (T, ...).
    """
    return squared_distances(queries, x).argsort(dim=1, stable=True)


def squared_distances(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the squared Euclidean distances of all pairs (A, B), float64; never below 0.

    Args:
        a: rows (A, ...).
        b: rows (B, ...).
    """
    a, b = a.flatten(1).double(), b.flatten(1).double()
    squares = a.square().sum(1)[:, None] + b.square().sum(1)
    return squares.addmm_(a, b.T, alpha=-2).clamp_min_(0)
