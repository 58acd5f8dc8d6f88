"""Track ``imputation``: fill the holes of a table.

An imputer is a method of this track, and one of ``missing-data`` too, where a net is trained on
what it filled. It is written once, as an :class:`Imputer`.

Shapes: K members (seeds), N rows, d columns. A hole is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
import torch

from bench.cards import TrackCard
from bench.contracts import Method
from bench.declared import Array, Meta
from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.tracks import missing_data

__all__ = ["Fill", "Filled", "Imputed", "Imputer", "Problem", "observed"]

TRACK = TrackCard(
    name="imputation",
    title="Imputation",
    about="Fill the holes of a table.",
    field="streams and defects",
    ranked="imputers, by the root mean squared error on hidden cells, in units of that of the "
    "columns' means",
)

Fill = Callable[[torch.Tensor], torch.Tensor]
"""From rows with holes (n, d) to complete rows (n, d), each filled by itself."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees: a table with holes.

    Attributes:
        x: the table (N, d), float32, NaN in the holes; the observed cells of each column have mean
            0 and variance 1.
        steps: the most gradient steps that an imputer takes; 0: as many as it likes.
    """

    x: Annotated[torch.Tensor, Array("N", "d", dtype="float32", nan=True)]
    steps: Annotated[int, Meta(ge=0)] = 0


class Imputed(msgspec.Struct, kw_only=True):
    """What a method returns.

    Attributes:
        table: the complete table (N, d), float32; observed cells as they were.
    """

    table: Annotated[torch.Tensor, Array("N", "d", dtype="float32")]

    def validate(self, problem: Problem) -> None:
        """Hold the observed cells against those of the problem.

        Raises:
            InvalidRun: one was changed.
        """
        x = problem.x.to(self.table.device)
        changed = int(((self.table != x) & ~x.isnan()).sum())
        if changed:
            raise InvalidRun(
                f"{changed} observed cells of its table differ from those of the problem; return "
                "them as they were, and fill the holes alone"
            )


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """What an imputer makes of a table.

    Attributes:
        table: the completed table (N, d).
        fill: completes other rows (n, d), each by itself, by what was learned from the table.
    """

    table: torch.Tensor
    fill: Fill


class Imputer(Method, frozen=True, kw_only=True):
    """Completes a table, and other rows with holes; of a row it sees the cells alone, whatever the
    track.

    A method writes :meth:`fit`, or :meth:`fits` where it fills several tables at once.
    """

    def fit(self, x: torch.Tensor, run: Run) -> Filled:
        """Learn from the table x (N, d) how to fill holes."""
        raise TypeError(f"{type(self).__name__} has no fit; write one.")

    def fits(self, tables: Sequence[torch.Tensor], runs: Sequence[Run]) -> list[Filled]:
        """Learn from K tables (N, d), each for itself."""
        return [self.fit(x, run) for x, run in zip(tables, runs, strict=True)]

    def solve(self, problem: Any, run: Run) -> Any:
        """Fill one table, or train on it, as the track has it."""
        return self.solve_stacked([problem], [run])[0]

    def solve_stacked(self, problems: Sequence[Any], runs: Sequence[Run]) -> list[Any]:
        """Fill several tables, or train on them, as the track has it."""
        filled = self.fits([problem.x for problem in problems], runs)
        tables = [
            observed(problem.x, own.table) for problem, own in zip(problems, filled, strict=True)
        ]
        for run in runs:
            run.count(forward=len(problems[0].x))
        if isinstance(problems[0], Problem):
            return [Imputed(table=table) for table in tables]
        encoders = [_filling(own.fill) for own in filled]
        return missing_data.trained(problems, runs, tables, encoders)


def observed(x: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Return ``table`` (n, d) with the observed cells of x (n, d) in their places, of its type."""
    return torch.where(x.isnan(), table.to(x.dtype), x)


def _filling(fill: Fill) -> Fill:
    """Return a fill that leaves observed cells alone, whatever the imputer does to them."""
    return lambda x: observed(x, fill(x))
