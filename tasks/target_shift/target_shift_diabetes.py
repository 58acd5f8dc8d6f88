"""Patients whose disease went less far in the source than in the target."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Case, Meta, Preset, Setup, TaskCard
from bench.errors import InvalidRun
from bench.training.data import Examples

from ._metrics import REFERENCES
from ._numbers import METRICS, NumbersTask, case_of


class TargetShiftDiabetes(NumbersTask):
    """Source patients are kept around the lower quartile of the label, target patients around the
    upper one.
    """

    card: ClassVar = TaskCard(
        name="target-shift-diabetes",
        title="Patients whose disease went further",
        track="target-shift",
        datasets=("diabetes",),
        libraries=("sklearn",),
        metrics=METRICS,
        inputs="table",
        presets={
            "smoke": Preset(
                variants={"quartiles": {}},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"quartiles": {}}, seeds=5, timeout=300),
        },
        budget="the source rows and the target's inputs",
        offers={"numbers": {}},
        references=REFERENCES,
    )
    width: Annotated[float, Meta(gt=0)] = 0.5
    """Width of both densities, in standard deviations of the label."""

    def prepare(self, run: Setup) -> Case:
        """Split the patients into halves, and keep each with a chance that falls with the distance
        of the label from its half's quartile.

        Raises:
            InvalidRun: fewer than ten patients are kept on a side.
        """
        data: Examples = run.dataset("diabetes")
        y = data.y.double().cpu().numpy()
        generator = run.numpy_generator("split")
        quartiles = np.quantile(y, (0.25, 0.75))
        chance = np.exp(-0.5 * np.square((y[:, None] - quartiles) / (self.width * y.std())))
        order, half = generator.permutation(len(y)), len(y) // 2
        sides = [
            rows[generator.random(len(rows)) < chance[rows, side]]
            for side, rows in enumerate((order[:half], order[half:]))
        ]
        if min(map(len, sides)) < 10:
            raise InvalidRun(
                f"width={self.width} keeps {len(sides[0])} source and {len(sides[1])} target rows; "
                "take a larger width"
            )
        source, target = (torch.from_numpy(rows).to(data.y.device) for rows in sides)
        weights = torch.from_numpy(chance[sides[0], 1] / chance[sides[0], 0]).to(data.y.device)
        x, labels = data.x, data.y
        return case_of(x[source], labels[source], x[target], x[target], labels[target], weights)
