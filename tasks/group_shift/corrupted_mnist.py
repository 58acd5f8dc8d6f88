"""Clean MNIST digits to train on, corrupted ones to be judged by."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
import numpy as np
import torch

from bench import Case, Meta, Preset, Reference, Setup, TaskCard

from ._corrupted import METRICS, CorruptedTask
from ._metrics import ERM
from ._others import patches
from ._spurious import split
from ._task import Parts, Rows


class CorruptedMnist(CorruptedTask):
    """MNIST digits, ten classes, under six kinds of corruption."""

    card: ClassVar = TaskCard(
        name="corrupted-mnist",
        title="MNIST (5,000 digits), clean in training and corrupted in the test",
        track="group-shift",
        datasets=("mnist5k",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"plain": {}},
                params={"n_train": 300, "n_other": 60, "epochs": 2, "widths": [32]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"plain": {}}, seeds=5, timeout=300),
        },
        budget="20 epochs of batch 128; what a method trains besides is its own cost",
        offers={"other-pictures": {}},
        tuning={"judged": "validation"},
        references=(
            ERM,
            Reference(
                name="augmented",
                kind="high",
                title="The baseline trained on clean and corrupted pictures",
                solve="train_augmented",
            ),
        ),
        libraries=("sklearn",),
        paper="arXiv:1903.12261",
    )
    classes: ClassVar = 10
    epochs: Annotated[int, Meta(ge=1)] = 20
    """Passes over the training rows."""
    n_train: Annotated[int, Meta(ge=0)] = 2000
    """Use this many training rows; 0: all."""
    n_other: Annotated[int, Meta(ge=1)] = 2000
    """Pictures without the task's classes that methods may ask for."""

    def parts(self, run: Setup) -> Parts:
        """Split."""
        data = run.dataset("mnist5k")
        x, y = data.x.float() / 255, data.y
        train, val, test = split(len(y), run.numpy_generator("split"))

        def part(rows: np.ndarray) -> Rows:
            own = torch.from_numpy(rows)
            return Rows(x=x[own], y=y[own], attribute=torch.zeros_like(y[own]))

        return Parts(train=part(train[: self.n_train or None]), val=part(val), test=part(test))

    def prepare(self, run: Setup) -> Case:
        """Draw the parts and the other pictures."""
        case = super().prepare(run)
        mean, std = case.hidden.scale
        other = patches(self.n_other, run.numpy_generator("corruption", "other")).to(run.device)
        problem = msgspec.structs.replace(case.problems[0], other_pictures=(other - mean) / std)
        return Case(problems=[problem], hidden=case.hidden)
