"""Find the wrong ones among the labels of 4,000 printed letters."""

from __future__ import annotations

from typing import ClassVar

from bench import TaskCard

from ..noisy_labels._table import TableTask
from ._metrics import METRICS, REFERENCES
from ._table import BUDGET, PRESETS
from ._task import LabelErrorTask


class ErrorsLetter(LabelErrorTask, TableTask):
    """Find the wrong ones among the labels of 4,000 printed letters."""

    card: ClassVar = TaskCard(
        name="errors-letter",
        title="Label errors in the table letter",
        track="label-errors",
        datasets=("letter",),
        inputs="table",
        libraries=("sklearn",),
        metrics=METRICS,
        presets=PRESETS,
        budget=BUDGET,
        offers={"noise-rate": {}},
        references=REFERENCES,
    )
    source: ClassVar = "letter"
    n_test: ClassVar = 1000
