"""Fashion-MNIST, few pictures labelled."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Preset, Setup, TaskCard
from bench.training.data import Examples, stratified_split

from ._metrics import PICTURES, REFERENCES
from ._task import Parts, SemiTask


class SemiFashion(SemiTask):
    """10,000 articles of clothing, 4 or 25 of each class labelled; 10,000 to judge by."""

    card: ClassVar = TaskCard(
        name="semi-fashion",
        title="Fashion-MNIST, few pictures labelled",
        track="semi-supervised",
        datasets=("fashion-mnist",),
        metrics=PICTURES,
        presets={
            "smoke": Preset(
                variants={"lab4": {}},
                params={"n_train": 400, "steps": 40},
                seeds=1,
                timeout=60,
            ),
            "extended": Preset(
                variants={"lab4": {"labels": 4}, "lab25": {"labels": 25}},
                params={"n_train": 10000},
                seeds=5,
                timeout=600,
            ),
        },
        test_set="official",
        budget="1,500 steps of 32 labelled rows and 96 of the pool; each view costs its own passes",
        offers={"class-prior": {}},
        references=REFERENCES,
    )
    n_train: Annotated[int, Meta(ge=0)] = 0
    """Use this many training rows, drawn class by class; 0: all."""

    def parts(self, run: Setup) -> tuple[Parts, int]:
        """Return the training rows and the data's own test rows."""
        train: Examples = run.dataset("fashion-mnist", split="train")
        test: Examples = run.dataset("fashion-mnist", split="test")
        x, y = train.x, train.y
        if 0 < self.n_train < len(y):
            _, some = stratified_split(
                y.cpu().numpy(), self.n_train, run.numpy_generator("split", "train")
            )
            x, y = x[torch.from_numpy(some)], y[torch.from_numpy(some)]
        own = {"x": x.float() / 255, "y": y, "x_test": test.x.float() / 255, "y_test": test.y}
        return Parts(**own), 10
