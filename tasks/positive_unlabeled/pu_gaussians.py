"""Two Gaussians, where a column without a word on the class says who is known."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Preset, Setup, TaskCard
from bench.training.data import standardised

from ._metrics import BINARY, REFERENCES
from ._task import PuTask, Rows


class PuGaussians(PuTask):
    """3,000 rows of 8 columns; the first is higher by 2 in positive rows, the second says how
    likely a positive row is known.
    """

    card: ClassVar = TaskCard(
        name="pu-gaussians",
        title="Two Gaussians, labelled by what does not tell them apart",
        track="positive-unlabeled",
        libraries=("sklearn",),
        metrics=BINARY,
        presets={
            "smoke": Preset(
                variants={"sar": {"labelling": "sar"}},
                params={"n_train": 300, "n_test": 200, "steps": 20, "net": "linear"},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"sar": {"labelling": "sar"}, "scar": {"labelling": "scar"}},
                params={"net": "linear", "steps": 400, "lr": 0.02, "weight_decay": 0.0},
                seeds=5,
                timeout=300,
            ),
        },
        budget="400 steps of Adam on a linear model, each of 256 unlabelled and 64 known rows",
        offers={"prior": {}, "propensity": {}},
        references=REFERENCES,
    )
    n_train: Annotated[int, Meta(ge=20)] = 3000
    """Training rows."""
    n_test: Annotated[int, Meta(ge=20)] = 2000
    """Test rows."""
    apart: Annotated[float, Meta(ge=0)] = 2.0
    """Distance of the classes, in standard deviations."""

    def rows(self, run: Setup) -> Rows:
        """Draw rows, half of them positive."""
        generator = run.numpy_generator("split")
        total = self.n_train + self.n_test
        y = torch.from_numpy(generator.random(total) < 0.5)
        x = torch.from_numpy(generator.standard_normal((total, 8))).float()
        x[:, 0] += self.apart * y
        train, test = x[: self.n_train], x[self.n_train :]
        own, other = standardised(train, test)
        return Rows(
            x=own,
            y=y[: self.n_train],
            x_test=other,
            y_test=y[self.n_train :],
            drives=train[:, 1].contiguous(),
        )
