"""Come near the exact values of few rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import Case, Meta, Metric, Outcome, Preset, Reference, Run, Score, Setup, TaskCard
from bench.tracks.data_valuation import Problem, Solution
from bench.tracks.data_valuation_games import Game, game_of
from bench.tracks.data_valuation_sampling import all_sets, semivalues

from ._data import Hidden
from ._metrics import COST, RELIABILITY, known, spearman
from ._task import ValuationTask


class ValueExact(ValuationTask):
    """All sets of ten rows are fitted, so that the value asked for is known."""

    card: ClassVar = TaskCard(
        name="value-exact",
        title="Values of few rows against the exact ones",
        track="data-valuation",
        datasets=("digits", "breast-cancer", "wine", "iris"),
        libraries=("scipy", "sklearn"),
        metrics=(
            Metric(
                name="rmse",
                direction="min",
                primary=True,
                bounds=(0, None),
                title="root of the mean squared distance from the exact values, in units of the "
                "utility, at the same number of fits for all",
            ),
            Metric(
                name="max_error", direction="min", bounds=(0, None), title="the largest distance"
            ),
            Metric(
                name="spearman",
                bounds=(-1, 1),
                title="Spearman's correlation with the exact values",
            ),
            RELIABILITY,
            *COST,
        ),
        presets={
            "smoke": Preset(
                variants={"shapley": {}},
                params={"n_train": 6, "fits": 120},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "shapley": {},
                    "banzhaf": {"target": "banzhaf"},
                    "beta": {"target": "beta"},
                    "shapley-iris": {"data": "iris"},
                },
                seeds=3,
                timeout=300,
            ),
        },
        budget="fits models at most; who estimates another value than the one asked for has no "
        "place",
        offers={"utility": {}, "classes": {}},
        references=(
            Reference(
                name="even-split",
                kind="low",
                title="The value of all rows, shared alike",
                solve="split_evenly",
            ),
            Reference(name="enumeration", kind="high", title="All sets", solve="enumerate_sets"),
        ),
    )
    n_train: Annotated[int, Meta(ge=4, le=14)] = 10
    """Training rows, of which all sets are fitted."""
    n_val: Annotated[int, Meta(ge=2)] = 100
    """Validation rows, by which sets are worth something."""
    n_test: Annotated[int, Meta(ge=2)] = 30
    """Rows that nobody sees or judges by."""
    target: Literal["shapley", "banzhaf", "beta"] = "shapley"
    """The value that is asked for; ``beta`` is beta(16, 1)."""
    fits: Annotated[int, Meta(ge=20)] = 1000
    """Models that may be fitted."""

    def shaped(self, problem: Problem) -> Problem:
        """Say what is asked for, and how much it may cost."""
        return msgspec.structs.replace(problem, target=self.target, max_fits=self.fits)

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score values that estimate what was asked for."""
        found = super().evaluate(case, outcomes, run)
        solution: Solution = outcomes[0].solution
        if solution.estimates not in (self.target, None):
            found.not_rankable = f"it estimates {solution.estimates} values, not {self.target}"
        elif solution.estimates is None:
            found.not_rankable = f"it does not estimate the {self.target} values of the utility"
        return found

    def judge(
        self, problem: Problem, hidden: Hidden, value: np.ndarray
    ) -> tuple[dict[str, float | None], dict[str, Any]]:
        """Hold the values against the exact ones."""
        exact = self._exact(problem, hidden).cpu().numpy()
        away = np.abs(value - exact)
        return {
            "rmse": float(np.sqrt((away**2).mean())),
            "max_error": float(away.max()),
            "spearman": known(float(spearman(value, exact))),
        }, {}

    def pointless(self, hidden: Hidden) -> str | None:
        """Rows have exact values where none was corrupted, too."""
        return None

    def enumerate_sets(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: fits all sets, whatever that costs."""
        return Solution(value=self._exact(problem, hidden), estimates=self.target)

    def split_evenly(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The lower reference: fits all rows once and no row alone."""
        game = _game(problem, hidden)
        share = (game.whole() - game.empty) / game.n
        return Solution(
            value=torch.full((game.n,), share, dtype=torch.float64, device=game.device),
            n_fits=1,
            estimates=self.target,
        )

    def _exact(self, problem: Problem, hidden: Hidden) -> torch.Tensor:
        game = _game(problem, hidden)
        return semivalues(game.values(all_sets(game.n).to(game.device)).cpu(), self.target).to(
            game.device
        )


def _game(problem: Problem, hidden: Hidden) -> Game:
    return game_of(msgspec.structs.replace(problem, utility=hidden.utility))
