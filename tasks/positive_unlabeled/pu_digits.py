"""Even digits against odd ones, of which some even ones are known."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Preset, Setup, TaskCard
from bench.training.data import standardised, stratified_split

from ._metrics import BINARY, REFERENCES
from ._task import PuTask, Rows


class PuDigits(PuTask):
    """1,438 digits, the even ones positive, of which 60 or 200 are known; 359 to judge by."""

    card: ClassVar = TaskCard(
        name="pu-digits",
        title="Even digits, few of them known",
        track="positive-unlabeled",
        datasets=("digits",),
        libraries=("sklearn",),
        metrics=BINARY,
        presets={
            "smoke": Preset(
                variants={"scar60": {"count": 60}}, params={"steps": 20}, seeds=1, timeout=60
            ),
            "default": Preset(
                variants={
                    "scar60": {"count": 60},
                    "scar200": {"count": 200},
                    "long60": {"count": 60, "steps": 400},
                },
                seeds=5,
                timeout=300,
            ),
        },
        budget="120 steps of Adam (long60: 400), each of 256 unlabelled and 64 known rows",
        offers={"prior": {}, "propensity": {}},
        references=REFERENCES,
    )

    def rows(self, run: Setup) -> Rows:
        """Return all digits."""
        data = run.dataset("digits")
        train, test = (
            torch.from_numpy(part)
            for part in stratified_split(
                data.y.cpu().numpy(), 359, run.numpy_generator("split", "test")
            )
        )
        x, x_test = standardised(data.x[train], data.x[test])
        y = data.y % 2 == 0
        return Rows(x=x, y=y[train], x_test=x_test, y_test=y[test], drives=x.flatten(1).mean(1))
