"""CIFAR-10, few pictures labelled, at the size of the papers."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Preset, Setup, TaskCard
from bench.training.data import Examples, stratified_split

from ._metrics import PICTURES, REFERENCES
from ._task import Parts, SemiTask


class SemiCifar10(SemiTask):
    """50,000 pictures, of which 4 to 400 of each class are labelled; 10,000 to judge by."""

    card: ClassVar = TaskCard(
        name="semi-cifar10",
        title="CIFAR-10, few pictures labelled",
        track="semi-supervised",
        datasets=("cifar10", "cifar100"),
        metrics=PICTURES,
        presets={
            "smoke": Preset(
                variants={"lab4": {}},
                params={"n_train": 400, "steps": 40, "net": "cnn", "widths": [4, 8]},
                seeds=1,
                timeout=60,
            ),
            "paper": Preset(
                variants={
                    "lab4": {"labels": 4},
                    "lab25": {"labels": 25},
                    "lab400": {"labels": 400},
                    "ood": {"labels": 25, "strange": True},
                },
                params={
                    "net": "resnet18",
                    "widths": [],
                    "steps": 1048576,
                    "batch_size": 64,
                    "mu": 7,
                    "lr": 0.03,
                },
                seeds=3,
                timeout=604800,
            ),
        },
        test_set="official",
        budget="2^20 steps of 64 labelled rows and 448 of the pool; each view costs its own passes",
        offers={"class-prior": {}},
        references=REFERENCES,
    )
    n_train: Annotated[int, Meta(ge=0)] = 0
    """Use this many training rows, drawn class by class; 0: all."""
    strange: bool = False
    """Whether the pool is CIFAR-100, none of whose classes is one of the task's."""

    def parts(self, run: Setup) -> tuple[Parts, int]:
        """Return the training rows and the data's own test rows."""
        train: Examples = run.dataset("cifar10", split="train")
        test: Examples = run.dataset("cifar10", split="test")
        x, y = train.x, train.y
        if 0 < self.n_train < len(y):
            _, some = stratified_split(
                y.cpu().numpy(), self.n_train, run.numpy_generator("split", "train")
            )
            x, y = x[torch.from_numpy(some)], y[torch.from_numpy(some)]
        own = {"x": x.float() / 255, "y": y, "x_test": test.x.float() / 255, "y_test": test.y}
        if not self.strange:
            return Parts(**own), 10
        pool: Examples = run.dataset("cifar100", split="train")
        none = torch.full_like(pool.y, -1)
        return Parts(**own, pool=pool.x.float() / 255, y_pool=none), 10
