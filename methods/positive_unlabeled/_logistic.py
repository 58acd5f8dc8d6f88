"""Logistic regressions of many members and columns at once, and what EM of propensities does with
them.

Shapes: K members, N rows, D columns of inputs with a constant as the last one, L labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from bench import Run
from bench.tracks.positive_unlabeled import Members, Model, Problem, Solution, single_sample

PENALTY = 1.0
"""Half of it times the squared weights stands beside the summed loss, as in scikit-learn; the
constant is free.
"""
STEPS, TOLERANCE = 100, 1e-8
"""Most steps of a fit, and the largest change of a weight at which it ends."""
CONTRACTION = 0.1
"""A step that is not shorter than this share of the one before it makes the curvature be computed
anew. It costs D times what a gradient costs, and moves little from one round of EM to the next.
"""
_HALVINGS = 12

Curvature = tuple[torch.Tensor, torch.Tensor]
"""Second derivatives of the objective, factorised: LU (K, L, D, D) and pivots (K, L, D)."""


def design(x: torch.Tensor) -> torch.Tensor:
    """Return inputs (..., N, *) as rows with a constant (..., N, D), float64."""
    flat = x.flatten(2).double()
    return torch.cat([flat, torch.ones_like(flat[..., :1])], -1)


def fit(
    x: torch.Tensor,
    weight: torch.Tensor,
    target: torch.Tensor,
    start: torch.Tensor,
    held: Curvature | None = None,
    active: torch.Tensor | None = None,
) -> tuple[torch.Tensor, Curvature]:
    """Return weights (K, L, D) that minimise the sum of w softplus(z) - t z plus the penalty, and
    the curvature that the last step used.

    It is convex for any t: where t is the weight times a label it is the logistic loss, and where
    labels are weighed by propensities (t above w) the unbiased risk. Newton steps with a curvature
    that is kept while it serves end at the same minimum as those with a new one each.

    Args:
        x: inputs with a constant (K, N, D).
        weight: of each row and column (K, L, N), 0 or more.
        target: of each row and column (K, L, N).
        start: where to begin (K, L, D).
        held: the curvature of a similar fit; None: it is computed at the start.
        active: the columns to fit (K, L), the others stay at the start; None: all.
    """
    theta, last = start.clone(), torch.full_like(start[..., 0], torch.inf)
    ridge = torch.full((x.shape[-1],), PENALTY, dtype=x.dtype, device=x.device)
    ridge[-1] = 1e-9
    active = torch.ones_like(last, dtype=torch.bool) if active is None else active
    stale = torch.full_like(active, held is None)
    lu, pivots = held or (
        x.new_zeros(*last.shape, x.shape[-1], x.shape[-1]),
        torch.ones_like(start, dtype=torch.int32),
    )
    for _ in range(STEPS):
        p = (theta @ x.mT).sigmoid()
        gradient = (weight * p - target) @ x + ridge * theta
        k, column = (stale & active).nonzero(as_tuple=True)
        if len(k):
            bend = (weight * p * (1 - p))[k, column, None]
            new = torch.linalg.lu_factor((x.mT[k] * bend) @ x[k] + ridge.diag())
            lu, pivots = lu.index_put((k, column), new[0]), pivots.index_put((k, column), new[1])
        step = torch.linalg.lu_solve(lu, pivots, gradient[..., None])[..., 0]
        moved = theta - _shortened(x, weight, target, ridge, theta, step, gradient) * step
        change = (moved - theta).abs().amax(-1)
        theta = torch.where(active[..., None], moved, theta)
        active = active & (change > TOLERANCE)
        if not bool(active.any()):
            break
        stale, last = change > CONTRACTION * last, change
    return theta, (lu, pivots)


def _shortened(
    x: torch.Tensor,
    weight: torch.Tensor,
    target: torch.Tensor,
    ridge: torch.Tensor,
    theta: torch.Tensor,
    step: torch.Tensor,
    gradient: torch.Tensor,
) -> torch.Tensor:
    """Return the length of each step (K, L, 1): the first of 1, 1/2, 1/4 ... that lowers the
    objective enough (Armijo).
    """

    def objective(at: torch.Tensor) -> torch.Tensor:
        z = at @ x.mT
        return (weight * F.softplus(z) - target * z).sum(-1) + 0.5 * (ridge * at**2).sum(-1)

    before, slope = objective(theta), (gradient * step).sum(-1)
    length = torch.ones_like(before)
    for _ in range(_HALVINGS):
        found = objective(theta - length[..., None] * step)
        short = found > before - 1e-4 * length * slope + 1e-9 * before.abs()
        if not bool(short.any()):
            break
        length = torch.where(short, length / 2, length)
    return length[..., None]


def em(
    problems: Sequence[Problem],
    runs: Sequence[Run],
    name: str,
    *,
    constant: bool,
    rounds: int,
    least: float,
) -> list[Solution]:
    """Fit a classifier f and propensities e in turns, then the classifier once more.

    Expectation: a row's weight is s + (1 - s) f (1 - e) / (1 - f e). Maximisation: e is fitted to s
    with these weights, f to all rows as positive with these weights and as negative with the rest.
    A member that is done stays as it is while others go on.

    Source: arXiv:1809.03207, section 4, and ML-KULeuven/SAR-PU, pu_learning.py.

    Args:
        problems: of one protocol.
        runs: theirs.
        name: of the method, for messages.
        constant: whether e is one number a column.
        rounds: most rounds.
        least: propensities below it count as it in the last fit.
    """
    members = Members(problems, runs)
    single_sample(members.problem, name)
    x, s = design(members.x), members.s.mT.double()
    p = s.mean(-1, keepdim=True)
    ones, zero = torch.ones_like(s), torch.zeros(*s.shape[:2], x.shape[-1], dtype=x.dtype)
    zero = zero.to(x.device)
    begin = s * (1 - p) + (1 - s) * p
    f_theta, of_f = fit(x, begin, begin * s, zero)
    f = (f_theta @ x.mT).sigmoid()
    e_theta, e, of_e = _propensity(x, s, s + (1 - s) * f, zero, constant)
    active = torch.ones_like(p, dtype=torch.bool)
    history, likelihood, spent = [], [], torch.zeros_like(p)
    for _ in range(rounds):
        w = s + (1 - s) * f * (1 - e) / (1 - f * e).clamp_min(1e-12)
        e_theta, new, of_e = _propensity(x, s, w, e_theta, constant, of_e, active[..., 0])
        e = torch.where(active, new, e)
        f_theta, of_f = fit(x, ones, w, f_theta, of_f, active[..., 0])
        f = (f_theta @ x.mT).sigmoid()
        spent += active
        history.append((e * (1 - s)).clone())
        likelihood.append(_likelihood(f, e, s))
        active = active & ~_settled(history, likelihood, s)
        if not bool(active.any()):
            break
    found, _ = fit(x, ones, s / e.clamp_min(least), f_theta)
    for k, run in enumerate(runs):
        used = int(spent[k].max())
        run.count(forward=2 * used * members.n_rows, backward=2 * used * members.n_rows)
        run.log(used, rounds=used)
    return [Solution(model=_linear(found[k]), propensity=e[k].mT.float()) for k in range(len(runs))]


def _propensity(
    x: torch.Tensor,
    s: torch.Tensor,
    w: torch.Tensor,
    start: torch.Tensor,
    constant: bool,
    held: Curvature | None = None,
    active: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor, Curvature | None]:
    """Return the weights of the propensities, the propensities (K, L, N), and the curvature of the
    fit.
    """
    if constant:
        share = (s * w).sum(-1, keepdim=True) / w.sum(-1, keepdim=True).clamp_min(1e-12)
        return start, share.expand_as(s), None
    theta, held = fit(x, w, w * s, start, held, active)
    return theta, (theta @ x.mT).sigmoid(), held


WINDOW, SLOPE, GAIN = 10, 1e-4, 1e-4
"""EM ends when over so many rounds propensities of unlabelled rows move by less than SLOPE a round
and the likelihood gains less than GAIN.
"""


def _settled(
    history: list[torch.Tensor], likelihood: list[torch.Tensor], s: torch.Tensor
) -> torch.Tensor:
    """Return which columns are done (K, L, 1)."""
    del history[:-WINDOW]
    if len(likelihood) <= WINDOW:
        return torch.zeros(*s.shape[:2], 1, dtype=torch.bool, device=s.device)
    place = torch.arange(WINDOW, dtype=s.dtype, device=s.device) - (WINDOW - 1) / 2
    slope = (torch.stack(history, -1) @ place) / (place**2).sum()
    mean = slope.abs().sum(-1, keepdim=True) / (1 - s).sum(-1, keepdim=True).clamp_min(1)
    last = torch.stack(likelihood[-WINDOW:])
    return (mean < SLOPE) & (last.amax(0) - last[0] < GAIN)


def _likelihood(f: torch.Tensor, e: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    """Return the mean expected log-likelihood of each column (K, L, 1)."""
    tiny = 1e-12
    positive, negative = f * (1 - e), 1 - f
    of_positive = positive / (positive + negative).clamp_min(tiny)
    logs = [part.clamp_min(tiny).log() for part in (f * e, positive, negative)]
    unlabelled = of_positive * logs[1] + (1 - of_positive) * logs[2]
    return (s * logs[0] + (1 - s) * unlabelled).mean(-1, keepdim=True)


def _linear(theta: torch.Tensor) -> Model:
    """Return weights (L, D) as a model."""
    weight, bias = theta[:, :-1].float(), theta[:, -1].float()

    def scores(x: torch.Tensor) -> torch.Tensor:
        return F.linear(x.flatten(1), weight, bias)

    return scores
