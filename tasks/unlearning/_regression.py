"""Metrics of unlearning in regression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from bench import Metric, Run, Setup
from bench.tracks.unlearning import Problem, Weights

from ._attacks import mia_svc
from ._metrics import ATTACKS, EXACT, GAP, PRECOMPUTE, RTE, STORED

METRICS = (
    Metric(
        name="privacy_gap",
        direction="min",
        primary=True,
        bounds=(0, 0.5),
        chance=0.5,
        title=GAP,
    ),
    *ATTACKS,
    Metric(
        name="w1",
        direction="min",
        bounds=(0, None),
        title="1-Wasserstein distance of the predictions on the forgotten rows to the "
        "retrained models', mean over all pairs of models",
    ),
    Metric(
        name="w1_floor",
        direction="none",
        bounds=(0, None),
        title="the same of one retrained model to another, mean over all pairs",
    ),
    Metric(
        name="mae_f",
        direction="none",
        bounds=(0, None),
        title="mean absolute error on the forgotten rows",
    ),
    Metric(
        name="mae_f_gap",
        direction="none",
        bounds=(None, None),
        title="mae_f minus the retrained models'; below 0: under-forgotten",
    ),
    Metric(
        name="mae_r",
        direction="min",
        bounds=(0, None),
        title="mean absolute error on the rows that stay",
    ),
    Metric(
        name="mae_t",
        direction="min",
        bounds=(0, None),
        title="mean absolute error on test rows",
    ),
    Metric(
        name="mia_svc",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="legacy: forgotten rows that an SVM on absolute errors takes for non-members, fitted "
        "on at most 500 rows of a side",
    ),
    Metric(
        name="mia_gap",
        direction="none",
        unit="points",
        bounds=(-100, 100),
        title="legacy: mia_svc minus that of the retrained models",
    ),
    Metric(
        name="ain",
        direction="none",
        bounds=(0, 400),
        title="anamnesis index: steps to relearn the forgotten rows, over those of "
        "retrained models; 1: as if retrained. Steps are full batches of the forgotten rows, 400 "
        "at most, to 1.05 times the original's error on them",
    ),
    RTE,
    PRECOMPUTE,
    EXACT,
    STORED,
)


def wasserstein(one: np.ndarray, other: np.ndarray) -> float:
    """Return the 1-Wasserstein distance between two samples of numbers."""
    from scipy.stats import wasserstein_distance

    return float(wasserstein_distance(one, other))


def error_mia(retain: np.ndarray, test: np.ndarray, forget: np.ndarray) -> float:
    """Return the legacy MIA on absolute errors: the share (%) of forgotten rows taken for
    non-members, by the SVM of classification.
    """
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


def predict_loss(weights: Weights, problem: Problem) -> float:
    """Return the mean squared error of a net on the rows to forget."""
    with torch.no_grad():
        outputs = problem.architecture.of([weights], problem.x.device)(
            problem.x[problem.forget][None]
        )[0, :, 0]
    return float((outputs - problem.y[problem.forget]).square().mean())


def run_noise(run: Setup, rows: int) -> torch.Tensor:
    """Return standard normal numbers (n,), the same for every task and method of a seed."""

    def draw(child: Run) -> dict[str, torch.Tensor]:
        return {
            "noise": torch.from_numpy(
                child.numpy_generator("corruption").standard_normal(rows)
            ).float()
        }

    return run.cached({"what": "unlearning target noise", "seed": run.seed, "rows": rows}, draw)[0][
        "noise"
    ]
