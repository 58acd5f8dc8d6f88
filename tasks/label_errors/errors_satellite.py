"""Find the wrong ones among the labels of 4,000 squares of a satellite's picture."""

from __future__ import annotations

from typing import ClassVar

from bench import TaskCard

from ..noisy_labels._table import TableTask
from ._metrics import METRICS, REFERENCES
from ._table import BUDGET, PRESETS
from ._task import LabelErrorTask


class ErrorsSatellite(LabelErrorTask, TableTask):
    """Find the wrong ones among the labels of 4,000 squares of a satellite's picture."""

    card: ClassVar = TaskCard(
        name="errors-satellite",
        title="Label errors in the table satellite",
        track="label-errors",
        datasets=("satellite",),
        inputs="table",
        libraries=("sklearn",),
        metrics=METRICS,
        presets=PRESETS,
        budget=BUDGET,
        offers={"noise-rate": {}},
        references=REFERENCES,
    )
    source: ClassVar = "satellite"
    n_test: ClassVar = 1000
