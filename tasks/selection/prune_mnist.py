"""Pruning five thousand MNIST digits."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, Preset, TaskCard

from ._metrics import METRICS, REFERENCES
from ._task import PruningTask


class PruneMnist(PruningTask):
    """3,500 MNIST digits, averaged to 14x14, to choose among; 1,500 to judge by."""

    card: ClassVar = TaskCard(
        name="prune-mnist",
        title="MNIST (5,000 digits, 14x14): which rows to keep",
        track="selection",
        datasets=("mnist5k",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"clean": {}},
                params={"n_train": 300, "epochs": 3, "nets": 1},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"clean": {}, "noise10": {"label_noise": 0.1}}, seeds=3, timeout=300
            ),
        },
        budget="10, 20, 30, 50 and 80 % of the rows; the steps of 15 epochs over all rows for "
        "every training",
        references=REFERENCES,
        tuning={"holdout": 0.2},
        paper="arXiv:2107.07075",
    )
    source: ClassVar = "mnist5k"
    pool: Annotated[int, Meta(ge=1)] = 2
    """Average pixels over squares of this side first."""
    lr: Annotated[float, Meta(gt=0)] = 0.8
    """Learning rate at the start of the cosine: the best of five by validation with random rows
    alone (docs/tracks/selection.md).
    """
