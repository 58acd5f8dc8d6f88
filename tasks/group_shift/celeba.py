"""Photographs of faces whose hair goes with their gender."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._metrics import METRICS
from ._photographs import REFERENCES, PhotographTask


class CelebA(PhotographTask):
    """Is the hair blond? Few blond faces of the training rows are of men."""

    card: ClassVar = TaskCard(
        name="celeba",
        title="Faces (CelebA), blond or not",
        track="group-shift",
        datasets=("celeba",),
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
    source: ClassVar = "celeba"
