"""The least core by random sets (doi:10.1609/aaai.v35i6.16721)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import InvalidRun, Meta, Method, MethodCard, Run
from bench.tracks.data_valuation import Problem, Solution
from bench.tracks.data_valuation_games import game_of

SLACK = 1e-9
"""How far the sets may lack more than the least, so that rounding leaves a solution."""


class LeastCore(Method):
    """Share the value of all rows such that no sampled set could claim much more than it gets."""

    card: ClassVar = MethodCard(
        name="least-core",
        title="Least core",
        track="data-valuation",
        paper="doi:10.1609/aaai.v35i6.16721",
        bibtex="""@inproceedings{yan2021core,
  title = {If You Like Shapley Then You'll Love the Core},
  author = {Yan, Tom and Procaccia, Ariel D.},
  booktitle = {AAAI},
  year = {2021},
  doi = {10.1609/aaai.v35i6.16721}
}""",
        claim="The least core, found from random sets, finds rows of high and low value about as "
        "well as Shapley values do.",
        deviates="Values are above the empty set's. Of the solutions the one of the smallest "
        "squares is taken, as pyDVL does.",
        signal="utility",
        libraries=("scipy",),
        needs=("utility",),
        defaults_from="here",
    )
    subsets: Annotated[int, Meta(ge=4)] = 1000
    """Sets, one fit each; a row is in each with probability one half."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Draw sets; solve for the least deficit, then for the smallest values with it."""
        game = game_of(problem)
        count = min(self.subsets, (problem.max_fits or self.subsets + 1) - 1)
        if count < 2:
            raise InvalidRun(
                f"max_fits is {problem.max_fits}, and the value of all rows and of two sets take "
                "3; allow more fits"
            )
        drawn = run.numpy_generator("method").random((count, game.n)) < 0.5
        masks = torch.from_numpy(drawn).to(game.device)
        values = (game.values(masks) - game.empty).cpu().numpy()
        whole = game.whole() - game.empty
        run.count(forward=game.visits)
        half = count // 2
        parts = [slice(None), slice(half), slice(half, None)]
        found = [least_core(drawn[at], values[at], whole)[0] for at in parts]
        made = torch.from_numpy(np.stack(found)).to(game.device)
        return Solution(value=made[0], n_fits=game.fits, halves=made[1:])


def least_core(masks: np.ndarray, values: np.ndarray, whole: float) -> tuple[np.ndarray, float]:
    """Return values (n,) of the smallest squares that sum to the whole and leave the least deficit,
    and that deficit: the most that a set, the empty one among them, is worth above what its rows
    get.

    Args:
        masks: who is in each set (M, n), bool.
        values: of the sets (M,), the empty set's taken off.
        whole: value of all rows, likewise.

    Raises:
        InvalidRun: the solver does not end.
    """
    from scipy.optimize import linprog

    n = masks.shape[1]
    inside = masks.astype(np.float64)
    found = linprog(
        np.r_[np.zeros(n), 1.0],
        A_ub=np.c_[-inside, -np.ones(len(inside))],
        b_ub=-values,
        A_eq=np.r_[np.ones(n), 0.0][None],
        b_eq=[whole],
        bounds=[(None, None)] * n + [(0, None)],  # the empty set asks for nothing
        method="highs",
    )
    if not found.success:
        raise InvalidRun(
            f"the linear programme of {len(values)} sets was not solved ({found.message}); ask for "
            "other sets (subsets)"
        )
    deficit = float(found.x[-1])
    return smallest(inside, values - deficit - SLACK, whole), deficit


def smallest(inside: np.ndarray, least: np.ndarray, whole: float) -> np.ndarray:
    """Return the point (n,) of the smallest squares with a sum, whose sums over sets are no less
    than given: least distance programming by non-negative least squares (Lawson and Hanson 1974,
    chapter 23).

    Args:
        inside: who is in each set (M, n), 0 or 1.
        least: of the sums over sets (M,).
        whole: sum of all.
    """
    from scipy.optimize import nnls

    n = inside.shape[1]
    # away from the even split x = whole / n + z, where z sums to nothing: G z >= h
    centred = inside - inside.mean(1, keepdims=True)
    need = least - inside.sum(1) * whole / n
    if (need <= 0).all():
        return np.full(n, whole / n)
    scale = float(np.abs(need).max())
    left = np.vstack([centred.T, need[None] / scale])
    right = np.r_[np.zeros(n), 1.0]
    try:
        weight, _ = nnls(left, right, maxiter=10 * left.shape[1])
    except RuntimeError as error:
        raise InvalidRun(
            f"the least squares of {len(inside)} sets were not solved ({error}); ask for other "
            "sets (subsets)"
        ) from None
    residual = left @ weight - right
    return whole / n - scale * residual[:n] / residual[-1]
