"""Look at the rows of the lowest values first, and repair their labels."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import torch

from bench import Meta, Metric, Preset, Reference, Run, TaskCard
from bench.tracks.data_valuation import Problem, Solution, Utility
from bench.tracks.data_valuation_games import score
from bench.tracks.data_valuation_linear import design, gram, outputs_of

from ._data import Hidden
from ._metrics import COST, RELIABILITY
from ._task import ValuationTask, values_by_test

LAM = Utility().lam
"""Weight of the penalty of the least squares that labels are repaired for."""


class ValueCleaning(ValuationTask):
    """The lower the values of rows with wrong labels, the fewer rows must be looked at.

    The model is least squares whatever the learner of the utility.
    """

    card: ClassVar = TaskCard(
        name="value-cleaning",
        title="Values by which labels are looked at",
        track="data-valuation",
        datasets=("digits", "breast-cancer", "wine", "iris"),
        libraries=("scipy", "sklearn"),
        metrics=(
            Metric(
                name="inspected",
                direction="min",
                primary=True,
                unit="%",
                bounds=(0, 100),
                title="rows looked at until the test accuracy is 95 % of that with right labels; a "
                "wrong label that is looked at is repaired",
            ),
            Metric(
                name="acc_mean",
                unit="%",
                bounds=(0, 100),
                title="test accuracy, mean over 0, 1, ..., 50 % of the rows looked at",
            ),
            Metric(
                name="found20",
                unit="%",
                bounds=(0, 100),
                title="wrong labels repaired after a fifth of the rows",
            ),
            Metric(
                name="acc_given",
                direction="none",
                unit="%",
                bounds=(0, 100),
                title="test accuracy with the labels as given",
            ),
            Metric(
                name="acc_clean",
                direction="none",
                unit="%",
                bounds=(0, 100),
                title="test accuracy with right labels",
            ),
            RELIABILITY,
            *COST,
        ),
        presets={
            "smoke": Preset(
                variants={"digits": {}},
                params={"n_train": 60, "n_val": 60, "n_test": 100},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"rate40": {"rate": 0.4}}, seeds=3, timeout=300),
        },
        budget="any number of fits, counted; figures at 100, 1,000, 10,000 and 30,000 fits are on "
        "the curve of the record",
        offers={"utility": {}, "classes": {}},
        references=(
            Reference(name="random", kind="low"),
            Reference(
                name="oracle-order",
                kind="high",
                title="Wrong labels first, by the Shapley values of their rows on the test rows",
                solve="order_by_test",
            ),
        ),
    )
    reach: Annotated[float, Meta(gt=0, le=1)] = 0.95
    """Share of the accuracy with right labels that is to be reached."""

    def judge(
        self, problem: Problem, hidden: Hidden, value: np.ndarray
    ) -> tuple[dict[str, float | None], dict[str, Any]]:
        """Repair labels from the lowest value on, a hundredth of the rows at a time."""
        order = torch.from_numpy(np.argsort(value, kind="stable")).to(problem.y.device)
        line = repaired(problem, hidden, order)
        enough = self.reach * line[-1]
        first = int(np.argmax(line >= enough - 1e-9))
        fifth = order[: round(0.2 * len(order))]
        bad = hidden.bad
        found = {
            "inspected": float(first),
            "acc_mean": float(line[:51].mean()),
            "found20": 100 * float(bad[fifth].sum()) / int(bad.sum()) if bad.any() else None,
            "acc_given": float(line[0]),
            "acc_clean": float(line[-1]),
        }
        return found, {"labels repaired": list(enumerate(line.tolist()))}

    def pointless(self, hidden: Hidden) -> str | None:
        """Wrong labels may be repaired in a better or worse order where all are wrong, too."""
        return None if bool(hidden.bad.any()) else super().pointless(hidden)

    def order_by_test(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: repairs wrong labels alone, those that harm the test rows first."""
        value, fits = values_by_test(problem, hidden, run)
        return Solution(value=torch.where(hidden.bad, value - 1e3, value), n_fits=fits)


def repaired(problem: Problem, hidden: Hidden, order: torch.Tensor) -> np.ndarray:
    """Return the test accuracy (101,) in percent of least squares with the labels of the first 0,
    1, ..., 100 % of the rows repaired; they share one matrix.

    Args:
        problem: gives rows and labels.
        hidden: gives true labels and test rows.
        order: rows, the first looked at first (N,).
    """
    n = len(order)
    place = order.argsort()
    count = (torch.arange(101, device=order.device) * n / 100).round()[:, None]
    labels = torch.where(place < count, hidden.y_true, problem.y)
    x = design(problem.x)
    everyone = torch.ones(1, n, dtype=torch.bool, device=x.device)
    matrix = gram(x, outputs_of(problem.y, problem.n_classes), everyone, LAM)[0]
    wanted = torch.stack([outputs_of(one, problem.n_classes) for one in labels])
    weights = torch.linalg.solve(matrix, x.T @ wanted)
    found: np.ndarray = (
        100 * score(design(hidden.x_test) @ weights, hidden.y_test, "accuracy").cpu().numpy()
    )
    return found
