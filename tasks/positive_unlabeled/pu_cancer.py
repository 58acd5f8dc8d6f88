"""Malignant tumours, some of them known, and the large ones rather than the small ones."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Preset, Setup, TaskCard
from bench.training.data import standardised, stratified_split

from ._metrics import BINARY, REFERENCES
from ._task import PuTask, Rows


class PuCancer(PuTask):
    """455 tumours, of which some malignant ones are known; 114 to judge by."""

    card: ClassVar = TaskCard(
        name="pu-cancer",
        title="Malignant tumours, some of them known",
        track="positive-unlabeled",
        datasets=("breast-cancer",),
        libraries=("sklearn",),
        metrics=BINARY,
        presets={
            "smoke": Preset(
                variants={"scar": {"labelling": "scar"}},
                params={"steps": 20, "net": "linear"},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "scar": {"labelling": "scar", "rate": 0.3},
                    "sar": {"labelling": "sar"},
                },
                params={"net": "linear", "steps": 400, "lr": 0.02, "weight_decay": 0.0},
                seeds=5,
                timeout=300,
            ),
        },
        budget="400 steps of Adam on a linear model, each of 256 unlabelled and 64 known rows",
        offers={"prior": {}, "propensity": {}},
        references=REFERENCES,
    )

    def rows(self, run: Setup) -> Rows:
        """Return all tumours; the mean radius is what labelling may depend on, which tells the
        classes apart as well.
        """
        data = run.dataset("breast-cancer")
        train, test = (
            torch.from_numpy(part)
            for part in stratified_split(
                data.y.cpu().numpy(), 114, run.numpy_generator("split", "test")
            )
        )
        x, x_test = standardised(data.x[train], data.x[test])
        y = data.y == 0  # malignant
        return Rows(
            x=x, y=y[train], x_test=x_test, y_test=y[test], drives=data.x[train, 0].contiguous()
        )
