"""Six classes of Fashion-MNIST against the other four, and against digits and letters."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np

from bench import Case, Meta, Preset, Setup, TaskCard

from ._metrics import (
    OF_CLASSES,
    OF_DIGITS,
    OF_GLYPHS,
    OF_MNIST,
    OF_NOISE,
    OF_PATCHES,
    OF_SHUFFLED,
    REFERENCES,
    SHARED,
)
from ._pictures import DATASETS, LIBRARIES, drawn, far, glyphs
from ._task import OodTask, scaled


class OodFashion(OodTask):
    """6,000 articles of six classes, drawn by the seed; the other classes are near, digits far."""

    card: ClassVar = TaskCard(
        name="ood-fashion",
        title="Six classes of articles against near and far kinds",
        track="ood-detection",
        datasets=("fashion-mnist", *DATASETS),
        libraries=LIBRARIES,
        metrics=(
            *SHARED,
            OF_CLASSES,
            OF_MNIST,
            OF_GLYPHS,
            OF_DIGITS,
            OF_PATCHES,
            OF_NOISE,
            OF_SHUFFLED,
        ),
        presets={
            "smoke": Preset(
                variants={"mlp": {"net": "mlp"}},
                params={"epochs": 3, "n_known": 300, "n_out": 60, "widths": [32, 128]},
                seeds=1,
                timeout=60,
            ),
            "extended": Preset(variants={"cnn": {}, "mlp": {"net": "mlp"}}, seeds=5, timeout=1200),
        },
        budget="the net is given; training rows may be passed over as often as a method likes",
        references=REFERENCES,
    )

    net: Literal["mlp", "cnn"] = "cnn"
    """The net that is trained and handed out."""
    n_known: Annotated[int, Meta(ge=0)] = 6000
    """Rows of the net's classes, all parts together; 0: all there are."""

    def prepare(self, run: Setup) -> Case:
        """Draw the classes and the kinds."""
        (train, val, test), others, _ = self.parts(run.dataset("fashion-mnist"), run)
        kinds = {
            "classes": others,
            "mnist": drawn(scaled(run.dataset("mnist5k").x), run, "mnist"),
            "glyphs": glyphs(run),
        }
        kinds |= far(run, np.array([], dtype=np.int64), test[0], train[0], self.n_out)
        return self.case([train, val, test], kinds, run)
