"""Pruning the 8x8 digits."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, Preset, TaskCard

from ._metrics import METRICS, REFERENCES
from ._task import PruningTask


class PruneDigits(PruningTask):
    """1,258 digits of 8x8 to choose among, 539 to judge by."""

    card: ClassVar = TaskCard(
        name="prune-digits",
        title="Digits (8x8): which rows to keep",
        track="selection",
        datasets=("digits",),
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
    source: ClassVar = "digits"
    lr: Annotated[float, Meta(gt=0)] = 0.1
    """Learning rate at the start of the cosine: the best of six by validation with random rows
    alone (docs/tracks/selection.md).
    """
