"""Clothes for the upper body against all other articles, some of the former known."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Preset, Setup, TaskCard
from bench.training.data import Examples, standardised, stratified_split

from ._metrics import BINARY, REFERENCES
from ._task import PuTask, Rows


class PuFashion(PuTask):
    """10,000 articles, tops and dresses positive, some of them known; 10,000 to judge by."""

    card: ClassVar = TaskCard(
        name="pu-fashion",
        title="Clothes for the upper body, some of them known",
        track="positive-unlabeled",
        datasets=("fashion-mnist",),
        libraries=("sklearn",),
        metrics=BINARY,
        presets={
            "smoke": Preset(
                variants={"scar60": {"count": 60}},
                params={"n_train": 400, "steps": 20},
                seeds=1,
                timeout=60,
            ),
            "extended": Preset(
                variants={
                    "scar200": {"count": 200},
                    "scar1000": {"count": 1000},
                    "long200": {"count": 200, "steps": 1200},
                },
                params={"n_train": 10000, "steps": 400},
                seeds=5,
                timeout=600,
            ),
        },
        test_set="official",
        budget="400 steps of Adam (long200: 1,200), each of 256 unlabelled and 64 known rows",
        offers={"prior": {}, "propensity": {}},
        references=REFERENCES,
    )
    n_train: Annotated[int, Meta(ge=0)] = 0
    """Use this many training rows, drawn class by class; 0: all."""

    def rows(self, run: Setup) -> Rows:
        """Return the training rows and the data's own test rows."""
        train: Examples = run.dataset("fashion-mnist", split="train")
        test: Examples = run.dataset("fashion-mnist", split="test")
        if 0 < self.n_train < len(train.y):
            _, some = stratified_split(
                train.y.cpu().numpy(), self.n_train, run.numpy_generator("split", "train")
            )
            own = torch.from_numpy(some)
            train = Examples(train.x[own], train.y[own], train.classes)
        x, x_test = standardised(train.x, test.x)
        positive = torch.tensor([0, 2, 3, 4, 6])
        return Rows(
            x=x,
            y=torch.isin(train.y, positive),
            x_test=x_test,
            y_test=torch.isin(test.y, positive),
            drives=x.flatten(1).mean(1),
        )
