"""Vehicles against animals, some vehicles known (arXiv:1703.00593)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Preset, Setup, TaskCard
from bench.training.data import Examples, standardised, stratified_split

from ._metrics import BINARY, REFERENCES
from ._task import PuTask, Rows


class PuCifar10(PuTask):
    """50,000 pictures, vehicles positive, of which 1,000 are known; 10,000 to judge by."""

    card: ClassVar = TaskCard(
        name="pu-cifar10",
        title="CIFAR-10: vehicles, some of them known",
        track="positive-unlabeled",
        datasets=("cifar10",),
        libraries=("sklearn",),
        metrics=BINARY,
        presets={
            "smoke": Preset(
                variants={"scar60": {"count": 60}},
                params={"n_train": 400, "steps": 20, "net": "cnn", "widths": [4, 8]},
                seeds=1,
                timeout=60,
            ),
            "paper": Preset(
                variants={"vehicles": {"count": 1000}},
                params={
                    "net": "resnet18",
                    "widths": [],
                    "steps": 10000,
                    "batch_size": 512,
                    "positives_a_batch": 128,
                },
                seeds=3,
                timeout=43200,
            ),
        },
        test_set="official",
        budget="10,000 steps of Adam, each of 512 unlabelled and 128 known rows",
        offers={"prior": {}, "propensity": {}},
        references=REFERENCES,
    )
    n_train: Annotated[int, Meta(ge=0)] = 0
    """Use this many training rows, drawn class by class; 0: all."""

    def rows(self, run: Setup) -> Rows:
        """Return the training rows and the data's own test rows."""
        train: Examples = run.dataset("cifar10", split="train")
        test: Examples = run.dataset("cifar10", split="test")
        if 0 < self.n_train < len(train.y):
            _, some = stratified_split(
                train.y.cpu().numpy(), self.n_train, run.numpy_generator("split", "train")
            )
            own = torch.from_numpy(some)
            train = Examples(train.x[own], train.y[own], train.classes)
        x, x_test = standardised(train.x, test.x, by_channel=True)
        positive = torch.tensor([0, 1, 8, 9])
        return Rows(
            x=x,
            y=torch.isin(train.y, positive),
            x_test=x_test,
            y_test=torch.isin(test.y, positive),
            drives=x.flatten(1).mean(1),
        )
