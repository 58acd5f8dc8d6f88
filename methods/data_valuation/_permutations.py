"""What methods share that read values off random orders of the rows."""

from __future__ import annotations

from typing import Annotated

import torch

from bench import InvalidRun, Meta, Method, Run
from bench.tracks.data_valuation import FITS, Problem, Reported, Solution
from bench.tracks.data_valuation_games import game_of
from bench.tracks.data_valuation_sampling import draw_orders, gains, of_rows


class PermutationMethod(Method):
    """Averages what a row adds to those before it, over random orders."""

    permutations: Annotated[int, Meta(ge=1)] = 100
    """Orders; each takes as many fits as there are rows."""
    antithetic: bool = False
    """Whether each second order is the one before it reversed."""
    truncation: Annotated[float, Meta(ge=0)] = 0.0
    """An order ends where its value is this near to that of all rows, in units of the utility: it
    takes fewer fits, and is biased. 0: never.
    """

    def weights(self, n: int) -> torch.Tensor:
        """Return the weight of what is added at each place of an order, (n,)."""
        return torch.ones(n, dtype=torch.float64)

    def estimates(self) -> str | None:
        """Return the semivalue whose estimate this is."""
        return "shapley"

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Average over orders; report the means over the first of them at fixed numbers of fits."""
        if self.antithetic and self.permutations % 2:
            raise InvalidRun(
                f"permutations is {self.permutations}, an odd number, and with antithetic=true "
                "every order comes with its reverse; use an even number"
            )
        game = game_of(problem)
        n, count, whole, step = (
            game.n,
            self.permutations,
            bool(self.truncation),
            self.antithetic + 1,
        )
        if problem.max_fits is not None:
            count = min(count, (problem.max_fits - whole) // n // step * step)
            if count < 1:
                orders = "an order and its reverse take" if self.antithetic else "one order takes"
                raise InvalidRun(
                    f"max_fits is {problem.max_fits}, fewer than the {step * n + whole} that "
                    f"{orders} with {n} rows; allow more fits"
                )
        orders = draw_orders(n, count, run.numpy_generator("method"), self.antithetic)
        orders = orders.to(game.device)
        weight = self.weights(n).to(game.device)
        gained = gains(game, orders, self.truncation)
        if whole and not gained.any():
            raise InvalidRun(
                f"truncation is {self.truncation:g}, and the value of no rows at all is nearer "
                "than that to the value of all, so that no order would begin; use a smaller one"
            )
        rows = of_rows(gained * weight, orders)
        run.count(forward=game.visits)
        for fits in FITS if not whole else ():
            if n <= fits <= count * n:
                run.report(fits, Reported(value=rows[: fits // n].mean(0)))
        pairs = rows.view(-1, step, n).mean(1)
        half = len(pairs) // 2
        return Solution(
            value=rows.mean(0),
            n_fits=game.fits,
            stderr=pairs.std(0) / len(pairs) ** 0.5 if half else None,
            halves=torch.stack([pairs[:half].mean(0), pairs[half:].mean(0)]) if half else None,
            estimates=None if whole else self.estimates(),
        )
