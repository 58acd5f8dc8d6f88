"""Digits of 8x8 pixels, few of them labelled."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Preset, Setup, TaskCard
from bench.training.data import stratified_split

from ._metrics import PICTURES, REFERENCES
from ._task import Parts, SemiTask, examples


class SemiDigits(SemiTask):
    """1,438 digits, of which 4 or 10 of each class are labelled; 359 to judge by."""

    card: ClassVar = TaskCard(
        name="semi-digits",
        title="Digits (8x8), few of them labelled",
        track="semi-supervised",
        datasets=("digits",),
        metrics=PICTURES,
        presets={
            "smoke": Preset(variants={"lab4": {}}, params={"steps": 60}, seeds=1, timeout=60),
            "default": Preset(
                variants={"lab4": {"labels": 4}, "lab10": {"labels": 10}}, seeds=5, timeout=300
            ),
        },
        budget="1,500 steps of 32 labelled rows and 96 of the pool; each view costs its own passes",
        offers={"class-prior": {}},
        references=REFERENCES,
    )

    def parts(self, run: Setup) -> tuple[Parts, int]:
        """Return all digits."""
        x, y = examples(run.dataset("digits"), 8, 16)
        train, test = (
            torch.from_numpy(part)
            for part in stratified_split(y.cpu().numpy(), 359, run.numpy_generator("split", "test"))
        )
        return Parts(x=x[train], y=y[train], x_test=x[test], y_test=y[test]), 10
