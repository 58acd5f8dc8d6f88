"""What the tasks of the track share: which cells are hidden, and how filled ones are scored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import msgspec
import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from bench import Case, Meta, Metric, Outcome, Preset, Reference, Run, Score, Setup, Task
from bench.declared import Array
from bench.errors import InvalidRun
from bench.tracks.imputation import Imputed, Problem
from bench.training.missing import hidden_cells, observed_scale
from bench.training.pictures import heat_map, scatter

METRICS = (
    Metric(
        name="nrmse",
        primary=True,
        direction="min",
        bounds=(0, None),
        chance=1,
        title="root mean squared error on hidden cells, over that of the columns' observed means",
    ),
    Metric(
        name="mae",
        direction="min",
        bounds=(0, None),
        title="mean absolute error on hidden cells, in sd of the observed cells of the column",
    ),
    Metric(
        name="w2",
        direction="min",
        bounds=(0, None),
        title="half the mean squared distance of filled rows to the complete rows that the best "
        "assignment gives them",
    ),
    Metric(
        name="hidden",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="share of the cells that is hidden",
    ),
)

REFERENCES = (
    Reference(name="mean", kind="low"),
    Reference(name="complete", kind="high", title="The complete table", solve="tell_cells"),
)

MECHANISMS = {
    "mcar": {"mechanism": "mcar"},
    "mar": {"mechanism": "mar"},
    "mnar": {"mechanism": "mnar"},
}
PRESETS = {
    "smoke": Preset(
        variants={"mcar": {"mechanism": "mcar"}},
        params={"rows": 60, "steps": 20},
        seeds=1,
        timeout=60,
    ),
    "default": Preset(variants=MECHANISMS, seeds=5, timeout=300),
}
BUDGET = "the table with holes; iterations and steps are the method's own"

_LEAST = 10
"""Fewest rows of a table."""
_SHOWN = 30
"""Rows in the picture of a table."""


class Hidden(msgspec.Struct, frozen=True):
    """What no method sees: the complete table, in the units of the problem's, and its holes."""

    table: Annotated[torch.Tensor, Array("N", "d", dtype="float32")]
    holes: Annotated[torch.Tensor, Array("N", "d", dtype="bool")]


class ImputationTask(Task):
    """Hides cells of a table; judged by what is filled in."""

    source: ClassVar[str]
    """The dataset."""

    mechanism: Literal["mcar", "mar", "mnar"] = "mcar"
    """Whether a cell is hidden at random, by the complete columns, or by its own value."""
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.3
    """Share of a column that is hidden; with ``mar`` 30 % of the columns are complete."""
    rows: Annotated[int, Meta(ge=0)] = 0
    """Rows of the table, drawn by the seed; 0: all there are."""

    steps: Annotated[int, Meta(ge=0)] = 0
    """The most gradient steps that an imputer takes; 0: as many as it likes."""

    def prepare(self, run: Setup) -> Case:
        """Take the rows, hide cells, and scale by what is left.

        Raises:
            InvalidRun: fewer than ten rows are asked for.
        """
        if 0 < self.rows < _LEAST:
            raise InvalidRun(
                f"rows is {self.rows}, and what is left of a column of so few has no spread to "
                f"scale by; take at least {_LEAST}, or 0 for all"
            )
        x = run.dataset(self.source).x.double()
        if self.rows:
            order = run.numpy_generator("split", "rows").permutation(len(x))[: self.rows]
            x = x[torch.from_numpy(order).to(x.device)]
        spread = x.std(0, correction=0)
        x = (x - x.mean(0)) / torch.where(spread > 0, spread, torch.ones_like(spread))
        drawn = hidden_cells(
            x.cpu().numpy(), self.mechanism, self.share, run.numpy_generator("corruption")
        )
        holes = torch.from_numpy(drawn).to(x.device)
        shown = x.masked_fill(holes, torch.nan)
        # by the observed cells alone: the mean of a complete column tells of its hidden ones
        mean, scale = observed_scale(shown)
        table, given = ((part - mean) / scale for part in (x, shown))
        return Case(
            problems=[Problem(x=given.float(), steps=self.steps)],
            hidden=Hidden(table=table.float(), holes=holes),
        )

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the hidden cells."""
        hidden: Hidden = case.hidden
        truth, holes = hidden.table.double().cpu().numpy(), hidden.holes.cpu().numpy()
        found = outcomes[0].solution.table.double().cpu().numpy()
        if not holes.any():
            return Score(
                metrics=dict.fromkeys(("nrmse", "mae", "w2")) | {"hidden": 0.0},
                not_rankable="no cell was hidden",
            )
        wrong = (found - truth)[holes]
        # the observed cells of a column have mean 0
        return Score(
            metrics={
                "nrmse": float(np.sqrt((wrong**2).mean() / (truth[holes] ** 2).mean())),
                "mae": float(np.abs(wrong).mean()),
                "w2": assignment_cost(found, truth),
                "hidden": 100 * float(holes.mean()),
            },
            images={
                "holes": filling(truth, found, holes),
                "cells": scatter(
                    {"hidden cells": (truth[holes], found[holes])},
                    "What the holes were filled with",
                    "hidden value, in sd",
                    "filled, in sd",
                ),
            },
        )

    def tell_cells(self, problem: Problem, hidden: Hidden, run: Run) -> Imputed:
        """The upper reference: the complete table."""
        x = problem.x
        return Imputed(table=torch.where(x.isnan(), hidden.table.to(x.device), x))


def assignment_cost(one: np.ndarray, other: np.ndarray) -> float:
    """Return the least mean of half the squared distances between the rows of two tables (n, d),
    each row of the one given a row of the other: half the squared 2-Wasserstein distance.
    """
    costs = cdist(one, other, "sqeuclidean") / 2
    rows, columns = linear_sum_assignment(costs)
    return float(costs[rows, columns].mean())


def filling(truth: np.ndarray, found: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Draw the first rows of a table with holes, of what they were filled with and of the complete
    table, side by side.
    """
    gap = np.zeros((min(_SHOWN, len(truth)), 1))
    parts = [np.where(holes, np.nan, truth), found, truth]
    both = [part for table in parts for part in (table[:_SHOWN], gap)][:-1]
    cells = np.clip(np.concatenate(both, 1), -3, 3)
    return heat_map(
        cells,
        [""] * len(cells),
        [""] * cells.shape[1],
        "Table with holes, as filled, complete",
        "columns",
        "rows",
    )
