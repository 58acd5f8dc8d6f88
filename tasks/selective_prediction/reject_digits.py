"""Small digits, half of them corrupted: which answers of a net to keep."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, Preset, TaskCard

from ._metrics import METRICS
from ._task import REFERENCES, RejectTask


class RejectDigits(RejectTask):
    """500 digits of 8x8 pixels to judge by; the net was trained on 800 clean ones."""

    card: ClassVar = TaskCard(
        name="reject-digits",
        title="Keep the right answers on small digits of which half are corrupted",
        track="selective-prediction",
        datasets=("digits",),
        libraries=("sklearn",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"mlp": {}},
                params={"n_train": 200, "n_val": 100, "n_test": 100, "epochs": 3, "widths": [32]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"mlp": {}}, seeds=5, timeout=300),
        },
        budget="the net is given; training and validation rows may be passed over as often as a "
        "method likes",
        references=REFERENCES,
    )
    source: ClassVar = "digits"
    brightest: ClassVar = 16.0

    n_train: Annotated[int, Meta(ge=20)] = 800
    """Training rows, all clean."""
    n_val: Annotated[int, Meta(ge=20)] = 400
    """Validation rows, half of them corrupted."""
    n_test: Annotated[int, Meta(ge=20)] = 500
    """Test rows, half of them corrupted."""
