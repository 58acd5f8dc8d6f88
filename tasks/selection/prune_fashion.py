"""Pruning Fashion-MNIST."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Meta, Metric, Preset, Setup, TaskCard
from bench.training.data import Examples

from ._metrics import REFERENCES, REST
from ._rows import some
from ._task import PruningTask


class PruneFashion(PruningTask):
    """10,000 pictures of clothing, or all 60,000, to choose among; 10,000 to judge by."""

    card: ClassVar = TaskCard(
        name="prune-fashion",
        title="Fashion-MNIST: which rows to keep",
        track="selection",
        datasets=("fashion-mnist",),
        metrics=(
            Metric(
                name="auc",
                primary=True,
                unit="%",
                bounds=(0, 100),
                chance=10,
                title="test accuracy, mean over the log of the share kept, .1 to .5",
            ),
            *REST,
        ),
        presets={
            "smoke": Preset(
                variants={"clean": {}},
                params={"n_train": 300, "epochs": 3},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"clean": {}, "noise10": {"label_noise": 0.1}}, seeds=3, timeout=600
            ),
            "extended": Preset(
                variants={"clean": {}, "noise10": {"label_noise": 0.1}},
                params={"n_train": 0, "nets": 3},
                seeds=3,
                timeout=3600,
            ),
        },
        test_set="official",
        budget="10, 30 and 50 % of the rows; the steps of 15 epochs over all rows for every "
        "training",
        references=REFERENCES,
        tuning={"holdout": 0.2},
        paper="arXiv:2107.07075",
    )
    source: ClassVar = "fashion-mnist"
    fractions: tuple[float, ...] = (0.1, 0.3, 0.5)
    """Shares of the rows to keep."""
    nets: Annotated[int, Meta(ge=1)] = 1
    """Nets for each share."""
    n_train: Annotated[int, Meta(ge=0)] = 10000
    """Use this many training rows; 0: all."""

    def parts(self, run: Setup) -> tuple[Examples, Examples]:
        """Return rows of the data's training part and all of its test part, pixels in [0, 1]."""
        train: Examples = run.dataset(self.source, split="train")
        test: Examples = run.dataset(self.source, split="test")
        y = train.y.cpu().numpy()
        rows = some(np.arange(len(y)), y, self.n_train, run.numpy_generator("split"))
        taken = torch.from_numpy(rows)
        return (
            Examples(train.x[taken].float() / 255, train.y[taken], train.classes),
            Examples(test.x.float() / 255, test.y, test.classes),
        )
