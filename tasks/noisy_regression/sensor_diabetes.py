"""How far diabetes goes in a year, reported too low for half of the patients."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import InvalidRun, Meta, Preset, Setup, TaskCard

from ._task import METRICS, REFERENCES, SensorTask


class SensorDiabetes(SensorTask):
    """300 patients to train on, 142 to test; half of the training targets are too low."""

    card: ClassVar = TaskCard(
        name="sensor-diabetes",
        title="Progression of diabetes, half of the targets too low",
        track="noisy-regression",
        datasets=("diabetes",),
        inputs="table",
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"half": {}}, params={"epochs": 3, "widths": [16]}, seeds=1, timeout=60
            ),
            "default": Preset(variants={"half": {}}, seeds=5, timeout=300),
        },
        budget="40 epochs of batch 32, 400 updates",
        references=REFERENCES,
    )
    n_train: Annotated[int, Meta(ge=2, le=439)] = 300
    """Training rows; the others are test rows."""
    epochs: Annotated[int, Meta(ge=1)] = 40
    """Passes over the training rows."""
    batch_size: Annotated[int, Meta(ge=1)] = 32
    """Rows of a batch."""

    def rows(self, run: Setup) -> tuple[torch.Tensor, torch.Tensor, int]:
        """Take the patients in an order of the seed's.

        Raises:
            InvalidRun: all training rows have the same number in a column.
        """
        data = run.dataset("diabetes")
        order = torch.from_numpy(run.numpy_generator("split").permutation(len(data.y)))
        x = data.x[order]
        if bool((x[: self.n_train] == x[0]).all(0).any()):
            raise InvalidRun(
                f"n_train={self.n_train} rows have the same number in a column, which has no "
                "spread to scale by; take more training rows"
            )
        return x, data.y[order], self.n_train
