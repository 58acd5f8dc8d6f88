"""Noisy labels on the table segment."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._metrics import REFERENCES
from ._metrics_real import SEGMENT
from ._table import BUDGET, CONFUSIONS, VARIANTS, TableTask


class NoisySegment(TableTask):
    """1,500 segments of pictures with corrupted labels, 600 clean ones to judge by."""

    card: ClassVar = TaskCard(
        name="noisy-segment",
        title="Segments of pictures (7 classes) with corrupted training labels",
        track="noisy-labels",
        datasets=("segment",),
        inputs="table",
        metrics=SEGMENT,
        presets={
            "smoke": Preset(
                variants={"sym40": {"noise": "sym", "rate": 0.4}},
                params={"n_train": 300, "epochs": 5},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants=VARIANTS, params={"n_train": 1500}, seeds=5, timeout=300),
            "extended": Preset(variants=CONFUSIONS, params={"n_train": 1500}, seeds=5, timeout=300),
        },
        budget=BUDGET,
        offers={"noise-rate": {}},
        tuning={"holdout": 0.2},
        references=REFERENCES,
    )
    source: ClassVar = "segment"
    n_test: ClassVar = 600
