"""Rows of two classes around plus and minus one mean, and linear classifiers of them.

Shapes: K members, n_l labelled rows, n_u rows of the pool, D columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from bench import InvalidRun, Run
from bench.tracks.semi_supervised import Model, Problem, Solution


def rows_of(
    problems: Sequence[Problem], runs: Sequence[Run], name: str
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return labelled rows (K, n_l, D), their signs (K, n_l) and the pool (K, n_u, D), float64.

    Raises:
        InvalidRun: there are more than two classes.
    """
    if problems[0].n_classes != 2:
        raise InvalidRun(
            f"{name} is for two classes, and this task has {problems[0].n_classes}; take "
            "semi-gaussians"
        )
    device = runs[0].device
    x = torch.stack([own.x[own.labelled].flatten(1) for own in problems]).double()
    u = torch.stack([own.x[own.unlabelled].flatten(1) for own in problems]).double()
    sign = torch.stack([2.0 * own.y - 1 for own in problems]).double()
    return x.to(device), sign.to(device), u.to(device)


def solutions(w: torch.Tensor, problems: Sequence[Problem]) -> list[Solution]:
    """Return the classifiers sign(w x) of weights (K, D) as solutions."""
    found = []
    for own, problem in zip(w, problems, strict=True):
        model = _linear(own.float())
        pool = problem.x[problem.unlabelled]
        found.append(
            Solution(
                model=model,
                pseudo=model(pool).softmax(-1),
                weight=torch.ones(len(pool), device=pool.device),
            )
        )
    return found


def _linear(w: torch.Tensor) -> Model:
    def scores(x: torch.Tensor) -> torch.Tensor:
        return F.linear(x.flatten(1), torch.stack([-w, w]) / 2)

    return scores
