"""What the tasks of wrong labels in tables share: the protocol of the 8x8 digits, as it stands."""

from __future__ import annotations

import numpy as np
import torch

from bench import InvalidRun, Preset, Setup
from bench.training.data import Examples

from ._task import NoisyLabelTask

VARIANTS = {
    "sym40": {"noise": "sym", "rate": 0.4},
    "pair45": {"noise": "pair", "rate": 0.45},
    "idn40": {"noise": "idn", "rate": 0.4},
    "clean": {"noise": "sym", "rate": 0.0},
}
CONFUSIONS = {"confusion40": {"noise": "confusion", "rate": 0.4}}
PRESETS = {
    "smoke": Preset(
        variants={"sym40": {"noise": "sym", "rate": 0.4}},
        params={"n_train": 300, "epochs": 5},
        seeds=1,
        timeout=60,
    ),
    "default": Preset(variants=VARIANTS, params={"n_train": 4000}, seeds=5, timeout=300),
    "extended": Preset(variants=CONFUSIONS, params={"n_train": 4000}, seeds=5, timeout=300),
}
BUDGET = "60 epochs of batch 128; each net of a method costs its own passes"


class TableTask(NoisyLabelTask):
    """A table with corrupted labels; each column is standardised by the training rows."""

    def parts(self, run: Setup) -> tuple[Examples, Examples]:
        """Return rows to train on and to judge by, of which none is equal to one of the others."""
        train, test = super().parts(run)
        apart = torch.from_numpy(~np.isin(keys(train.x), keys(test.x))).to(train.y.device)
        return Examples(train.x[apart], train.y[apart], train.classes), test

    def given(
        self, train: Examples, rows: np.ndarray, x: torch.Tensor, generator: np.random.Generator
    ) -> np.ndarray:
        """Return the given labels by the noise model."""
        if self.noise == "asym":
            raise InvalidRun(
                f"the noise 'asym' moves digits to digits that look alike, and {self.source!r} has "
                "no such table; take noise=confusion, whose confusions come from the rows."
            )
        return super().given(train, rows, x, generator)


def keys(x: torch.Tensor) -> np.ndarray:
    """Return a value for each row (n, d), float32, equal where all columns are."""
    rows = np.ascontiguousarray(x.cpu().numpy() + 0.0)  # -0 is 0
    return rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1])))[:, 0]
