"""Fashion-MNIST with a long tail of classes."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Preset, Setup, TaskCard
from bench.training.data import Examples, stratified_split

from ._metrics import REFERENCES, TEN
from ._task import LongTailTask

_POOL = 10000
"""Training pictures that a seed draws from."""


class TailFashion(LongTailTask):
    """500 pictures of one kind of clothing and 5 of another; every seed draws which."""

    card: ClassVar = TaskCard(
        name="tail-fashion",
        title="Fashion-MNIST with a long tail of classes",
        track="long-tail",
        datasets=("fashion-mnist",),
        metrics=TEN,
        presets={
            "smoke": Preset(
                variants={"r100": {"ratio": 100.0}},
                params={"epochs": 2, "widths": [64], "largest": 100},
                seeds=1,
                timeout=60,
            ),
            "extended": Preset(
                variants={"r100": {"ratio": 100.0}},
                params={"epochs": 60},
                seeds=5,
                timeout=600,
            ),
        },
        test_set="official",
        budget="60 epochs of batch 64; what a method spends beyond one pass a step is counted",
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "fashion-mnist"
    per_class: ClassVar = 1000

    largest: Annotated[int, Meta(ge=1)] = 500
    """Rows of the largest class."""

    def parts(self, run: Setup) -> tuple[Examples, Examples]:
        """Return 10,000 training pictures, drawn class by class, and the data's own test part."""
        train, test = (run.dataset(self.source, split=split) for split in ("train", "test"))
        rows = torch.from_numpy(
            stratified_split(train.y.cpu().numpy(), _POOL, run.numpy_generator("split", "pool"))[1]
        )
        return Examples(train.x[rows], train.y[rows], train.classes), test
