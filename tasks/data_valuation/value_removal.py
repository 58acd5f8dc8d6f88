"""Drop the rows of the lowest values, and those of the highest, and fit anew."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from bench import Metric, Preset, Reference, Run, TaskCard
from bench.tracks.data_valuation import Problem, Solution

from ._data import Hidden
from ._metrics import COST, RELIABILITY
from ._task import SHARES, ValuationTask, dropped, values_by_test


class ValueRemoval(ValuationTask):
    """Without its lowest values a training set should do better than without its highest."""

    card: ClassVar = TaskCard(
        name="value-removal",
        title="Values by which rows are dropped",
        track="data-valuation",
        datasets=("digits", "breast-cancer", "wine", "iris"),
        libraries=("scipy", "sklearn"),
        metrics=(
            Metric(
                name="removal_gap",
                primary=True,
                unit="points",
                bounds=(-100, 100),
                chance=0,
                title="mean test accuracy with the lowest values dropped minus that with the "
                "highest dropped, over 0, 5, ..., 45 %",
            ),
            Metric(
                name="acc_drop20",
                unit="%",
                bounds=(0, 100),
                title="test accuracy without the fifth of the lowest values",
            ),
            Metric(
                name="acc_drop0",
                direction="none",
                unit="%",
                bounds=(0, 100),
                title="with all rows: a method whose acc_drop20 is below it has hurt",
            ),
            RELIABILITY,
            *COST,
        ),
        presets={
            "smoke": Preset(
                variants={"mislabel": {}},
                params={"n_train": 60, "n_val": 60, "n_test": 100},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"mislabel": {}, "clean": {"rate": 0.0}}, seeds=3, timeout=300
            ),
        },
        budget="any number of fits, counted; figures at 100, 1,000, 10,000 and 30,000 fits are on "
        "the curve of the record",
        offers={"utility": {}, "classes": {}},
        references=(
            Reference(name="random", kind="low"),
            Reference(
                name="test-shapley",
                kind="high",
                title="Shapley values of the utility on the test rows themselves",
                solve="value_by_test",
            ),
        ),
    )

    def judge(
        self, problem: Problem, hidden: Hidden, value: np.ndarray
    ) -> tuple[dict[str, float | None], dict[str, Any]]:
        """Drop rows from either end."""
        lines = dropped(problem, hidden, value)
        low, high = lines["lowest dropped"], lines["highest dropped"]
        found = {
            "removal_gap": float((low - high).mean()),
            "acc_drop20": float(low[4]),
            "acc_drop0": float(low[0]),
        }
        drawn = {name: list(zip(100 * SHARES, line, strict=True)) for name, line in lines.items()}
        return found, drawn

    def pointless(self, hidden: Hidden) -> str | None:
        """Rows differ in what they are worth where none was corrupted, too."""
        return None

    def value_by_test(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: values by what rows do for the test rows."""
        value, fits = values_by_test(problem, hidden, run)
        return Solution(value=value, n_fits=fits)
