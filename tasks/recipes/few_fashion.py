"""Few articles of clothing."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from bench import Preset, Setup, TaskCard
from bench.training.data import Examples, stratified_split

from ._metrics import PICTURES, REFERENCES
from ._task import PictureTask

_POOL = 6000
"""Training pictures that a seed draws from."""


class FewFashion(PictureTask):
    """500 or 1,000 pictures of clothing to learn from, 10,000 to judge by."""

    card: ClassVar = TaskCard(
        name="few-fashion",
        title="Few pictures of Fashion-MNIST",
        track="recipes",
        datasets=("fashion-mnist", "patches"),
        metrics=PICTURES,
        presets={
            "smoke": Preset(
                variants={"n500": {"n_train": 100}},
                params={"epochs": 2, "widths": [64]},
                seeds=1,
                timeout=60,
            ),
            "extended": Preset(
                variants={"n500": {"n_train": 500}, "n1000": {"n_train": 1000}},
                params={"epochs": 100},
                seeds=5,
                timeout=600,
            ),
        },
        test_set="official",
        budget="100 epochs of batch 32; what a method spends beyond one pass a step is counted",
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "fashion-mnist"
    n_test: ClassVar = 10000

    def parts(self, run: Setup) -> tuple[Examples, Examples]:
        """Return 6,000 training pictures, drawn class by class, and the data's own test part."""
        train, test = (run.dataset(self.source, split=split) for split in ("train", "test"))
        y: np.ndarray = train.y.cpu().numpy()
        rows = torch.from_numpy(stratified_split(y, _POOL, run.numpy_generator("split", "pool"))[1])
        return Examples(train.x[rows], train.y[rows], train.classes), test
