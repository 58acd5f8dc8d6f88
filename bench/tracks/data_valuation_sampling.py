"""Semivalues of games: exact ones by enumeration, and estimates from orders and from random sets.

Source: arXiv:1904.02868 (Shapley by permutations), arXiv:2110.14049 (beta weights),
arXiv:2205.15466 (Banzhaf, every set serves all rows).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.special import betaln, gammaln

from bench.tracks.data_valuation_games import Game

__all__ = [
    "all_sets",
    "beta_weights",
    "by_membership",
    "draw_orders",
    "gains",
    "of_rows",
    "semivalues",
]


def draw_orders(
    n: int, count: int, generator: np.random.Generator, antithetic: bool = False
) -> torch.Tensor:
    """Return random orders of n rows (count, n), int64.

    Args:
        n: number of rows.
        count: number of orders.
        generator: draws them.
        antithetic: each second order is the one before it reversed.
    """
    drawn = (count + 1) // 2 if antithetic else count
    orders = torch.from_numpy(np.stack([generator.permutation(n) for _ in range(drawn)]))
    if antithetic:
        orders = torch.stack([orders, orders.flip(1)], 1).flatten(0, 1)[:count]
    return orders


def gains(game: Game, orders: torch.Tensor, truncation: float = 0.0) -> torch.Tensor:
    """Return what each row adds to those before it, (P, n), float64, by place in the order.

    Args:
        game: gives values.
        orders: permutations (P, n), int64.
        truncation: an order ends where its value comes this near to that of all rows, in units of
            the utility; the rows after it add 0. 0: never.
    """
    if not truncation:
        return game.prefixes(orders).diff(dim=1)
    whole = game.whole()
    n, step = game.n, max(1, game.n // 10)
    place = orders.argsort(1)
    found = torch.zeros(orders.shape, dtype=torch.float64, device=orders.device)
    last = torch.full((len(orders),), game.empty, dtype=torch.float64, device=orders.device)
    open_ = torch.arange(len(orders), device=orders.device)
    for start in range(0, n, step):  # a tenth of the rows at a time, of the orders still going
        sizes = torch.arange(start + 1, min(start + step, n) + 1, device=orders.device)
        masks = place[open_][:, None] < sizes[:, None]
        values = game.values(masks.flatten(0, 1)).view(len(open_), len(sizes))
        path = torch.cat([last[open_, None], values], 1)
        # the first prefix that is near enough ends its order
        ended = ((path - whole).abs() < truncation).cummax(1).values[:, :-1]
        found[open_, start : start + len(sizes)] = torch.where(ended, 0.0, path.diff(dim=1))
        last[open_] = values[:, -1]
        going = ~(ended[:, -1] | ((values[:, -1] - whole).abs() < truncation))
        open_ = open_[going]
        if not len(open_):
            break
    return found


def of_rows(gained: torch.Tensor, orders: torch.Tensor) -> torch.Tensor:
    """Return gains by row instead of by place, (P, n).

    Args:
        gained: by place (P, n).
        orders: permutations (P, n), int64.
    """
    return torch.zeros_like(gained).scatter_(1, orders, gained)


def beta_weights(n: int, alpha: float, beta: float) -> torch.Tensor:
    """Return the weight of a gain at each place of an order (n,), float64, of mean 1; (1, 1) weighs
    all alike, and a large alpha the first places.

    Source: arXiv:2110.14049, section 3.2.

    Args:
        n: number of rows.
        alpha: above 0.
        beta: above 0.
    """
    if alpha == 1 and beta == 1:
        return torch.ones(n, dtype=torch.float64)
    j = np.arange(1, n + 1)
    chosen = gammaln(n) - gammaln(j) - gammaln(n - j + 1)
    logs = chosen + betaln(j + beta - 1, n - j + alpha) - betaln(alpha, beta)
    return torch.from_numpy(n * np.exp(logs))


def by_membership(masks: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Return the mean value of the sets with each row minus that of those without it, (n,),
    float64; 0 where a row is in all sets or in none.

    Args:
        masks: who is in (M, n), bool.
        values: of the sets (M,).
    """
    inside, centred = masks.double(), values - values.mean()
    with_, count = inside.T @ centred, inside.sum(0)
    without, others = centred.sum() - with_, len(masks) - count
    found = with_ / count.clamp_min(1) - without / others.clamp_min(1)
    return torch.where((count > 0) & (others > 0), found, 0.0)


def all_sets(n: int) -> torch.Tensor:
    """Return every set of n players (2^n, n), bool; set number m has player i where bit i of m is
    set.
    """
    return (torch.arange(2**n)[:, None] >> torch.arange(n)) & 1 > 0


def semivalues(values: torch.Tensor, target: str) -> torch.Tensor:
    """Return the exact semivalue of every player (n,), float64.

    Args:
        values: of all sets, in the order of :func:`all_sets`, (2^n,).
        target: ``shapley``, ``banzhaf``, or ``beta``, which is beta(16, 1).
    """
    n = round(math.log2(len(values)))
    sizes = torch.arange(n)
    if target == "banzhaf":
        weight = torch.full((n,), 0.5 ** (n - 1), dtype=torch.float64)
    else:
        weight = beta_weights(n, 16, 1) if target == "beta" else torch.ones(n).double()
        weight = weight / n / torch.from_numpy(_binomial(n - 1, sizes.numpy()))
    masks = all_sets(n)
    count = masks.sum(1)
    found = []
    for i in range(n):
        without = (~masks[:, i]).nonzero()[:, 0]
        gained = values[without + 2**i] - values[without]
        found.append((weight[count[without]] * gained).sum())
    return torch.stack(found)


def _binomial(n: int, k: np.ndarray) -> np.ndarray:
    return np.array([math.comb(n, int(one)) for one in k], dtype=np.float64)
