"""Six classes of small digits against the other four, noise and shuffled digits."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Case, Meta, Preset, Setup, TaskCard

from ._metrics import OF_CLASSES, OF_NOISE, OF_SHUFFLED, REFERENCES, SHARED
from ._task import OodTask, noise, shuffled


class OodDigits(OodTask):
    """1,000 digits of 8x8 pixels; which six classes the net knows is drawn by the seed."""

    card: ClassVar = TaskCard(
        name="ood-digits",
        title="Six classes of small digits against four",
        track="ood-detection",
        datasets=("digits",),
        libraries=("sklearn",),
        metrics=(*SHARED, OF_CLASSES, OF_NOISE, OF_SHUFFLED),
        presets={
            "smoke": Preset(
                variants={"mlp": {}},
                params={"epochs": 4, "n_known": 300, "n_out": 100, "widths": [32, 128]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"mlp": {}}, seeds=5, timeout=300),
        },
        budget="the net is given; training rows may be passed over as often as a method likes",
        references=REFERENCES,
    )

    n_known: Annotated[int, Meta(ge=0)] = 1000
    """Rows of the net's classes, all parts together; 0: all there are."""

    def prepare(self, run: Setup) -> Case:
        """Draw the classes and the kinds."""
        (train, val, test), others, _ = self.parts(run.dataset("digits"), run, most=16.0)
        draw = run.numpy_generator("corruption", "kinds")
        kinds = {
            "classes": others,
            "noise": noise(test[0], self.n_out, draw),
            "shuffled": shuffled(torch.cat([test[0], train[0][: len(test[0])]]), draw),
        }
        return self.case([train, val, test], kinds, run)
