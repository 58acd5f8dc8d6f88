"""Random rows: the baseline of selection, and of condensation."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from bench import MethodCard, Run
from bench.tracks.condensation import Problem, real_rows
from bench.tracks.selection import Selectable, Selector, spread


class Random(Selector):
    """Keep rows drawn uniformly, as many of each class where classes are to be balanced."""

    card: ClassVar = MethodCard(
        name="random",
        title="Random rows",
        track=("condensation", "selection"),
        plain=True,
        defaults_from="here",
    )

    def choose(self, problem: Selectable, run: Run) -> Any:
        """Return random rows; of a condensation problem those that
        synthesis starts from, so that the two are paired.
        """
        if isinstance(problem, Problem):
            return problem.take([real_rows(problem, run)], None, None)
        generator = run.torch_generator("order", "rows", device="cpu")
        keys = torch.rand(len(problem.y), generator=generator).to(problem.y.device)
        rows = [
            torch.cat(
                [part[keys[part].argsort()[:count]] for part, count in spread(problem, budget)]
            )
            for budget in problem.budgets
        ]
        return problem.take(rows, None, None)
