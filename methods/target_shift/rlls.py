"""Regularized learning under label shifts (arXiv:1903.09734)."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks.target_shift import Problem, Solution, classes_of
from bench.tracks.target_shift_classes import confusion

_GOLDEN = (math.sqrt(5) - 1) / 2


class RegularizedShift(Method):
    """BBSE with a penalty on how far the weights are from 1, and with less trust in them."""

    card: ClassVar = MethodCard(
        name="rlls",
        title="Regularized learning under label shifts",
        track="target-shift",
        paper="arXiv:1903.09734",
        bibtex="""@inproceedings{azizzadenesheli2019regularized,
  title = {Regularized Learning for Domain Adaptation under Label Shifts},
  author = {Azizzadenesheli, Kamyar and Liu, Anqi and Yang, Fanny and Anandkumar, Animashree},
  booktitle = {International Conference on Learning Representations},
  year = {2019},
  eprint = {1903.09734},
  archivePrefix = {arXiv}
}""",
        claim="A penalty on the weights makes their error smaller than that of BBSE where target "
        "rows are few.",
        deviates="formula and constants were checked against the package abstention 0.1.3.1 "
        "(RLLSImbalanceAdapter), which follows the authors' code Angela0428/labelshift; the "
        "problem is solved exactly by a search along the path of penalties instead of by a cone "
        "solver",
        libraries=("scipy",),
        signal="held-out",
        needs=("classes",),
        defaults_from="paper",
    )
    soft: bool = False
    """Count probabilities instead of likeliest classes."""
    alpha: Annotated[float, Meta(ge=0)] = 0.01
    """Factor of the penalty Delta."""
    delta: Annotated[float, Meta(gt=0, lt=1)] = 0.05
    """Probability that the bound of the error of M fails."""
    gamma: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """How far to follow the estimate, in [0, 1]."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Return 1 + gamma theta."""
        classes = classes_of(problem)
        found = confusion(classes, self.soft)
        spread = math.log(2 * classes.n_classes / self.delta)
        rows = len(classes.y_val)
        penalty = self.alpha * 3 * (2 * spread / (3 * rows) + math.sqrt(2 * spread / rows))
        theta = nearest(
            found.joint.cpu().numpy(), (found.target - found.source).cpu().numpy(), penalty
        )
        weights = 1 + self.gamma * torch.from_numpy(theta)
        return Solution(weights=weights.clamp_min(0).to(found.joint.device))


def nearest(matrix: np.ndarray, wanted: np.ndarray, penalty: float) -> np.ndarray:
    """Return argmin ||M theta - b|| + penalty ||theta|| over theta >= -1, (C,).

    Norms are not squared. The minimiser is on the path of the squared problem, min ||M theta -
    b||^2 + lam ||theta||^2, along which the objective has one valley: lam is found by golden
    section.
    """

    def at(lam: float) -> np.ndarray:
        return ridge(matrix, wanted, lam)

    def loss(theta: np.ndarray) -> float:
        distance, size = np.linalg.norm(matrix @ theta - wanted), np.linalg.norm(theta)
        return float(distance + penalty * size)

    low, high = -30.0, 10.0
    for _ in range(90):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if loss(at(math.exp(left))) <= loss(at(math.exp(right))):
            high = right
        else:
            low = left
    ends = [at(0.0), at(math.exp((low + high) / 2)), np.zeros(matrix.shape[1])]
    return min(ends, key=loss)


def ridge(matrix: np.ndarray, wanted: np.ndarray, lam: float) -> np.ndarray:
    """Return argmin ||M theta - b||^2 + lam ||theta||^2 over theta >= -1, (C,)."""
    from scipy.optimize import nnls

    size = matrix.shape[1]
    stacked = np.concatenate([matrix, math.sqrt(lam) * np.eye(size)])
    shifted = stacked @ np.ones(size) + np.concatenate([wanted, np.zeros(size)])
    return np.asarray(nnls(stacked, shifted)[0]) - 1
