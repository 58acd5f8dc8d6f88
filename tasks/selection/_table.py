"""What the tasks of choosing among the rows of a table share: the protocol of the 8x8 digits, as it
stands.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Meta, Metric, Preset, Setup
from bench.training.data import Examples, standardised, stratified_split

from ..noisy_labels._table import keys
from ._metrics import REST
from ._rows import some
from ._task import PruningTask

PRESETS = {
    "smoke": Preset(
        variants={"clean": {}},
        params={"n_train": 300, "epochs": 3, "nets": 1},
        seeds=1,
        timeout=60,
    ),
    "default": Preset(
        variants={"clean": {}, "noise10": {"label_noise": 0.1}}, seeds=3, timeout=300
    ),
}
BUDGET = (
    "10, 20, 30, 50 and 80 % of the rows; the steps of 15 epochs over all rows for every training"
)
LETTER = (
    Metric(
        name="auc",
        primary=True,
        unit="%",
        bounds=(0, 100),
        chance=100 / 26,
        title="test accuracy, mean over the log of the share kept, .1 to .8",
    ),
    *REST,
)
SATELLITE = (
    Metric(
        name="auc",
        primary=True,
        unit="%",
        bounds=(0, 100),
        chance=153300 / 6435,
        title="test accuracy, mean over the log of the share kept, .1 to .8",
    ),
    *REST,
)
"""By chance a predictor says the most frequent of the classes, with 1,533 of 6,435 rows."""


class TablePruning(PruningTask):
    """A table whose columns are standardised by the rows that may be chosen; none of these is equal
    to a row that is judged by.
    """

    n_test: ClassVar[int] = 1000
    """Rows to judge by."""

    n_train: Annotated[int, Meta(ge=0)] = 4000
    """Use this many training rows; 0: all."""

    def parts(self, run: Setup) -> tuple[Examples, Examples]:
        """Return the rows to choose among and those to judge by, standardised."""
        data: Examples = run.dataset(self.source)
        y, generator = data.y.cpu().numpy(), run.numpy_generator("split")
        train, test = stratified_split(y, self.n_test, generator)
        every = keys(data.x)
        train = some(train[~np.isin(every[train], every[test])], y, self.n_train, generator)
        rows = [torch.from_numpy(part) for part in (train, test)]
        x = standardised(*(data.x[part] for part in rows))
        return (
            Examples(x[0], data.y[rows[0]], data.classes),
            Examples(x[1], data.y[rows[1]], data.classes),
        )
