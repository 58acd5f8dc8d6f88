"""Metrics of unlearning in regression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from bench.tracks.unlearning import Problem, Weights


def wasserstein(one: np.ndarray, other: np.ndarray) -> float:
    """Return the 1-Wasserstein distance between two samples of numbers."""
    from scipy.stats import wasserstein_distance

    return float(wasserstein_distance(one, other))


def error_mia(retain: np.ndarray, test: np.ndarray, forget: np.ndarray) -> float:
    """Return the legacy MIA on absolute errors: the share (%) of forgotten rows taken for
    non-members, by the SVM of classification.
    """
    from ._attacks import mia_svc

    return mia_svc(retain, test, forget)


def relearning_steps(
    models: Sequence[Weights], problem: Problem, target: float, most: int = 400
) -> list[int]:
    """Return how many full-batch Adam steps (rate 0.001) on the forgotten rows bring each model's
    loss on them to ``target``, at most ``most``.

    Args:
        models: weights to start from; they are relearned side by side.
        problem: holds the rows.
        target: mean squared error to reach.
        most: what a model that never gets there counts as.
    """
    nets = problem.architecture.of(models, problem.x.device)
    x, y = (
        problem.x[problem.forget].expand(len(models), -1, *problem.x.shape[1:]),
        problem.y[problem.forget],
    )
    optimiser = torch.optim.Adam(nets.parameters(), 1e-3)
    reached = torch.full((len(models),), most, device=x.device)
    for step in range(most):
        losses = (nets(x)[..., 0] - y).square().mean(-1)
        reached = torch.where((losses <= target) & (reached == most), step, reached)
        if step % 20 == 0 and bool((reached < most).all()):
            break
        optimiser.zero_grad(set_to_none=True)
        losses.sum().backward()
        optimiser.step()
    return [int(value) for value in reached.tolist()]
