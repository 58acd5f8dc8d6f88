"""What values of rows are used for: a track of its own, choosing rows, and finding wrong labels."""

from __future__ import annotations

from typing import Any

import torch

from bench import Run
from bench.tracks import label_errors, noisy_labels, selection
from bench.tracks.data_valuation import Solution

TRACKS = ("data-valuation", "label-errors", "selection")
"""Tracks that a method serves whose values need the training rows alone."""


def used(value: torch.Tensor, problem: Any, run: Run, **more: Any) -> Any:
    """Return the solution of the problem's track: the values; the rows of the highest values, ties
    at random; or minus the values as suspicion.

    Args:
        value: of each training row (N,), higher is more useful.
        problem: of any of the three tracks.
        run: draws the ties.
        more: what a solution of valuation says besides.
    """
    if isinstance(problem, noisy_labels.Problem):
        return label_errors.Solution(suspicion=-value)
    if hasattr(problem, "budgets"):
        drawn = torch.rand(
            len(value), generator=run.torch_generator("method", "ties", device="cpu")
        )
        ties = drawn.to(value.device)
        rows = [selection.top(value, ties, problem, budget) for budget in problem.budgets]
        return problem.take(rows, None, value)
    return Solution(value=value, **more)
