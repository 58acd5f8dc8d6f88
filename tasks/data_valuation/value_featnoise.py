"""Find the training rows whose inputs were disturbed."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import torch

from bench import InvalidRun, Metric, Preset, TaskCard
from bench.tracks.data_valuation import Problem

from ._data import Hidden
from ._detection import DETECTION, DROPPED, detected
from ._metrics import COST, REFERENCES, RELIABILITY
from ._task import ValuationTask


class ValueFeatnoise(ValuationTask):
    """A fifth of the training rows has normal noise on its inputs; low values should find them."""

    card: ClassVar = TaskCard(
        name="value-featnoise",
        title="Values that find disturbed inputs",
        track="data-valuation",
        datasets=("digits", "breast-cancer", "wine", "iris", "diabetes"),
        libraries=("scipy", "sklearn"),
        metrics=(
            Metric(
                name="auroc",
                primary=True,
                unit="%",
                bounds=(0, 100),
                chance=50,
                title="area under the ROC curve of minus the value, for disturbed rows",
            ),
            *DETECTION,
            *DROPPED,
            RELIABILITY,
            *COST,
        ),
        presets={
            "smoke": Preset(
                variants={"numbers": {"data": "diabetes", "labels": "numbers"}},
                params={"n_train": 60, "n_val": 60, "n_test": 100},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "digits": {},
                    "wine": {"data": "wine", "n_train": 80, "n_val": 40, "n_test": 58},
                    "numbers": {
                        "data": "diabetes",
                        "labels": "numbers",
                        "n_train": 200,
                        "n_val": 120,
                        "n_test": 122,
                    },
                },
                seeds=3,
                timeout=300,
            ),
        },
        budget="any number of fits, counted; figures at 100, 1,000, 10,000 and 30,000 fits are on "
        "the curve of the record",
        offers={"utility": {}, "classes": {"labels": "classes"}},
        references=REFERENCES,
    )

    data: Literal["digits", "breast-cancer", "wine", "iris", "diabetes"] = "digits"
    """The dataset; diabetes has numbers for labels."""
    labels: Literal["classes", "numbers"] = "classes"
    """What its labels are."""

    def fits_labels(self, classes: int) -> None:
        """Refuse what labels that are numbers do not have.

        Raises:
            InvalidRun: labels are of the other kind, or a parameter is for classes alone.
        """
        right = "classes" if classes else "numbers"
        if self.labels != right:
            raise InvalidRun(
                f"labels is {self.labels!r}, and those of {self.data} are {right}; use "
                f"labels={right}"
            )
        if classes:
            return
        for name, plain in (("learner", "ridge"), ("imbalance", 1.0), ("val_noise", 0.0)):
            given = getattr(self, name)
            if given != plain:
                raise InvalidRun(
                    f"{name} is {given!r}, which is for classes, and the labels of {self.data} are "
                    f"numbers; use {name}={plain if name == 'learner' else f'{plain:g}'}"
                )

    def _corrupted(
        self, x: torch.Tensor, y: torch.Tensor, classes: int, generator: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Add noise of each column's own spread to the inputs of some rows."""
        bad = torch.zeros(len(y), dtype=torch.bool, device=y.device)
        rows = torch.from_numpy(generator.permutation(len(y))[: round(self.rate * len(y))])
        rows = rows.to(y.device)
        noise = torch.from_numpy(generator.standard_normal((len(rows), *x.shape[1:]))).to(x)
        x = x.clone()
        x[rows] += noise * x.std(0)
        bad[rows] = True
        return x, y, bad

    def judge(
        self, problem: Problem, hidden: Hidden, value: np.ndarray
    ) -> tuple[dict[str, float | None], dict[str, Any]]:
        """Score the order, and for classes the utility's learner without the lowest rows."""
        return detected(problem, hidden, value)
