"""How far diabetes goes in a year."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Preset, Setup, TaskCard
from bench.errors import BenchError
from bench.training.data import Examples

from ._task import METRICS, REFERENCES, RegressionTask


class Progression(RegressionTask):
    """120 patients to train on, 200 to test, and 122 for the upper reference."""

    card: ClassVar = TaskCard(
        name="progression",
        title="Progression of diabetes (Efron et al. 2004)",
        track="regression",
        datasets=("diabetes",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"n60": {"n_train": 60}},
                params={"n_more": 60, "epochs": 3, "widths": [16]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"n120": {"n_train": 120}}, seeds=5, timeout=300),
        },
        budget="60 epochs of batch 32",
        tuning={"holdout": 0.25},
        references=REFERENCES,
    )
    n_test: ClassVar = 200

    n_train: Annotated[int, Meta(ge=4)] = 120
    """Training rows."""
    n_more: Annotated[int, Meta(ge=0)] = 122
    """Further rows that the upper reference trains on."""

    def rows(self, run: Setup) -> Examples:
        """Take the patients in an order of the seed's."""
        data: Examples = run.dataset("diabetes")
        count = self.n_train + self.n_more + self.n_test
        if count > len(data.y):
            raise BenchError(
                f"n_train={self.n_train} and n_more={self.n_more} with {self.n_test} test rows are "
                f"{count}, but there are {len(data.y)} patients; take fewer."
            )
        order = run.numpy_generator("split", "rows").permutation(len(data.y))[:count]
        taken = torch.from_numpy(order).to(data.y.device)
        return Examples(data.x[taken], data.y[taken], 0)
