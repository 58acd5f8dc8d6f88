"""Six classes of MNIST digits against the other four, letters, and pictures of other sources."""

from __future__ import annotations

from typing import ClassVar, Literal

from bench import Case, Preset, Setup, TaskCard

from ._metrics import (
    OF_CLASSES,
    OF_GLYPHS,
    OF_NOISE,
    OF_OTHER_DIGITS,
    OF_PATCHES,
    OF_SHUFFLED,
    REFERENCES,
    SHARED,
)
from ._pictures import DATASETS, LIBRARIES, far, glyphs
from ._task import OodTask


class OodMnist(OodTask):
    """3,000 digits of six classes, drawn by the seed; two near kinds and four far ones."""

    card: ClassVar = TaskCard(
        name="ood-mnist",
        title="Six classes of digits against near and far kinds",
        track="ood-detection",
        datasets=DATASETS,
        libraries=LIBRARIES,
        metrics=(
            *SHARED,
            OF_CLASSES,
            OF_GLYPHS,
            OF_OTHER_DIGITS,
            OF_PATCHES,
            OF_NOISE,
            OF_SHUFFLED,
        ),
        presets={
            "smoke": Preset(
                variants={
                    "mlp": {"net": "mlp"},
                    "exposed": {"net": "mlp", "outliers": "glyphs"},
                },
                params={"epochs": 3, "n_known": 300, "n_out": 60, "widths": [32, 128]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "cnn": {},
                    "mlp": {"net": "mlp"},
                    "exposed": {"outliers": "glyphs"},
                },
                seeds=3,
                timeout=600,
            ),
        },
        budget="the net is given; training rows may be passed over as often as a method likes",
        offers={"outliers": {"outliers": "glyphs"}},
        references=REFERENCES,
    )
    near: ClassVar = ("classes", "glyphs")

    net: Literal["mlp", "cnn"] = "cnn"
    """The net that is trained and handed out."""
    outliers: Literal["none", "glyphs"] = "none"
    """``glyphs``: letters are offered as outliers to train on, and are then no kind to judge by."""

    def prepare(self, run: Setup) -> Case:
        """Draw the classes and the kinds."""
        (train, val, test), others, known = self.parts(run.dataset("mnist5k"), run)
        letters = glyphs(run)
        told = self.outliers == "glyphs"
        kinds = {"classes": others} | ({} if told else {"glyphs": letters})
        kinds |= far(run, known, test[0], train[0], self.n_out)
        return self.case([train, val, test], kinds, run, outliers=letters if told else None)
