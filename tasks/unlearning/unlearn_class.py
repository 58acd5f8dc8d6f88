"""Forget a class."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Preset, Reference, Setup, TaskCard
from bench.tracks.unlearning import Problem

from ._data import Data
from ._metrics import METRICS
from ._task import UnlearningTask
from ._views import Views


class UnlearnClass(UnlearningTask):
    """Forget every row that bears one label, or some of them."""

    card: ClassVar = TaskCard(
        name="unlearn-class",
        title="Forget a class",
        track="unlearning-privacy",
        datasets=("digits", "mnist5k", "cifar10", "cifar100", "svhn"),
        libraries=("scipy", "sklearn"),
        clock_arrays=("rte",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"three": {}},
                params={
                    "data": "digits",
                    "n_train": 600,
                    "n_val": 200,
                    "n_pool": 400,
                    "widths": [64, 64],
                    "epochs": 30,
                    "batch_size": 32,
                    "originals": 4,
                },
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"three": {}}, seeds=3, timeout=300),
            "part": Preset(variants={"half": {"rows": 100}}, seeds=3, timeout=300),
        },
        budget="what retraining costs; rte says how much of it was used",
        tuning={"rehearse": True},
        references=(Reference(name="original", kind="low"), Reference(name="retrain", kind="high")),
    )

    label: Annotated[int, Meta(ge=0)] = 3
    """The label to forget."""
    rows: Annotated[int, Meta(ge=0)] = 0
    """How many of its rows, drawn at random; 0: all."""

    def forget_rows(self, run: Setup, data: Data, problem: Problem) -> torch.Tensor:
        """Take rows by the label they bear, right or wrong: nothing else is known of them."""
        # a rehearsal is of another class
        label = (self.label + 1) % data.classes if self.rehearse else self.label
        bearing = (data.y == label).nonzero()[:, 0]
        if self.rows:
            bearing = bearing[
                torch.from_numpy(
                    run.numpy_generator("split", "forget").permutation(len(bearing))[: self.rows]
                ).to(bearing.device)
            ]
        forget = torch.zeros(len(data.y), dtype=torch.bool, device=data.y.device)
        forget[bearing] = True
        return forget

    def extras(self, ours: Views) -> dict[str, float | None]:
        """Return the test accuracy without the class."""
        rest = ours.parts["test"][ours.y[ours.parts["test"]] != self.label]
        return {
            "ta_rest": 100
            * float((ours.outputs[:, rest].argmax(-1) == ours.y[rest]).double().mean())
        }
