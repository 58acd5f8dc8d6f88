"""Leaving one row out: what anyone would try first."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import InvalidRun, Method, MethodCard, Run
from bench.tracks.data_valuation import Problem, Solution
from bench.tracks.data_valuation_games import game_of


class LeaveOneOut(Method):
    """The value of all rows minus that of all but one; mostly 0 where accuracy is counted."""

    card: ClassVar = MethodCard(
        name="loo",
        title="Leave one row out",
        track="data-valuation",
        signal="utility",
        needs=("utility",),
        plain=True,
        defaults_from="here",
    )

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Fit once with all rows, and once without each."""
        game = game_of(problem)
        if problem.max_fits is not None and problem.max_fits <= game.n:
            raise InvalidRun(
                f"max_fits is {problem.max_fits}, fewer than the {game.n + 1} that leaving each of "
                f"{game.n} rows out takes; allow more fits"
            )
        masks = ~torch.eye(game.n, dtype=torch.bool, device=game.device)
        value = game.whole() - game.values(masks)
        run.count(forward=game.visits)
        return Solution(value=value, n_fits=game.fits)
