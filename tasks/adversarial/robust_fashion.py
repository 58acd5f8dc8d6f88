"""Robust training of a convolutional net on articles of clothing."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from bench import Preset, Setup, TaskCard
from bench.training.data import Examples, stratified_split

from ._metrics import METRICS, REFERENCES
from ._task import AdversarialTask

_DRAWN = 5400
"""Pictures that a seed draws from the 60,000 of the training part."""


class RobustFashion(AdversarialTask):
    """1,000 pictures of clothing to train a convolutional net on, 400 to attack."""

    card: ClassVar = TaskCard(
        name="robust-fashion",
        title="Fashion-MNIST (5,400 pictures) under attack",
        track="adversarial",
        datasets=("fashion-mnist",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"eps10": {"eps": 0.1}},
                params={
                    "n_train": 100,
                    "epochs": 1,
                    "steps": 2,
                    "net": "mlp",
                    "widths": [32],
                    "attack_steps": 5,
                    "queries": 10,
                },
                seeds=1,
                timeout=120,
            ),
            "extended": Preset(
                variants={"eps10": {"eps": 0.1}},
                params={"n_train": 1000, "net": "cnn", "epochs": 20},
                seeds=5,
                timeout=3600,
            ),
        },
        budget="20 epochs of batch 64; each pass of an attack costs as much as one of the training",
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "fashion-mnist"
    brightest: ClassVar = 255.0
    n_test: ClassVar = 400

    def parts(self, data: Examples, run: Setup) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of 5,000 rows that may be trained on, and of those to judge by."""
        y = data.y.cpu().numpy()
        drawn = stratified_split(y, _DRAWN, run.numpy_generator("split", "pool"))[1]
        pool, test = stratified_split(y[drawn], self.n_test, run.numpy_generator("split", "test"))
        return drawn[pool], drawn[test]
