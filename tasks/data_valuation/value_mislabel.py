"""Find the training rows whose label was moved."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from bench import Metric, Preset, TaskCard
from bench.tracks.data_valuation import Problem

from ._data import Hidden
from ._detection import DETECTION, DROPPED, detected
from ._metrics import COST, REFERENCES, RELIABILITY
from ._task import ValuationTask


class ValueMislabel(ValuationTask):
    """A fifth of the training labels is moved to another class; low values should find them."""

    card: ClassVar = TaskCard(
        name="value-mislabel",
        title="Values that find wrong labels",
        track="data-valuation",
        datasets=("digits", "breast-cancer", "wine", "iris"),
        libraries=("scipy", "sklearn"),
        metrics=(
            Metric(
                name="auroc",
                primary=True,
                unit="%",
                bounds=(0, 100),
                chance=50,
                title="area under the ROC curve of minus the value, for rows whose label was moved",
            ),
            *DETECTION,
            *DROPPED,
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
            "default": Preset(
                variants={
                    "digits": {},
                    "noisy-val": {"val_noise": 0.2},
                    "dup": {"dup": 0.1},
                    "imbalance": {"imbalance": 4.0},
                    "tumours": {
                        "data": "breast-cancer",
                        "n_train": 200,
                        "n_val": 160,
                        "n_test": 200,
                    },
                },
                seeds=3,
                timeout=300,
            ),
        },
        budget="any number of fits, counted; figures at 100, 1,000, 10,000 and 30,000 fits are on "
        "the curve of the record",
        offers={"utility": {}, "classes": {}},
        references=REFERENCES,
    )

    def judge(
        self, problem: Problem, hidden: Hidden, value: np.ndarray
    ) -> tuple[dict[str, float | None], dict[str, Any]]:
        """Score the order, and the utility's learner without the rows of the lowest values."""
        return detected(problem, hidden, value)
