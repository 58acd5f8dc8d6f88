"""Photographs of birds before backgrounds that go with their kind."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._metrics import METRICS
from ._photographs import REFERENCES, PhotographTask


class Waterbirds(PhotographTask):
    """Is it a waterbird? Most of the training rows stand before the background of their kind."""

    card: ClassVar = TaskCard(
        name="waterbirds",
        title="Waterbirds and landbirds before water and land",
        track="group-shift",
        datasets=("waterbirds",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"photographs": {"size": 16}},
                params={"n_train": 200, "epochs": 2, "widths": [32]},
                seeds=1,
                timeout=120,
            ),
            "extended": Preset(
                variants={"photographs": {"net": "resnet18", "widths": []}},
                params={"epochs": 50},
                seeds=5,
                timeout=14400,
            ),
        },
        test_set="official",
        budget="50 epochs of batch 128; what a method trains besides is its own cost",
        offers={"train-groups": {}, "val-groups": {}},
        tuning={"judged": "validation"},
        references=REFERENCES,
        paper="arXiv:1911.08731",
    )
    source: ClassVar = "waterbirds"
