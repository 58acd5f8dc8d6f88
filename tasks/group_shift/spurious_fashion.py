"""Fashion-MNIST articles in a colour that goes with the label, at full size."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Meta, Preset, TaskCard
from bench.training.data import Examples

from ._metrics import METRICS, SPURIOUS_REFERENCES
from ._spurious import SpuriousTask


class SpuriousFashion(SpuriousTask):
    """Pullovers, coats and shirts against all other articles, in one of two channels."""

    card: ClassVar = TaskCard(
        name="spurious-fashion",
        title="Fashion-MNIST in a colour that goes with the label",
        track="group-shift",
        datasets=("fashion-mnist",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"rho95": {"rho": 0.95}},
                params={"n_train": 300, "epochs": 2, "widths": [32]},
                seeds=1,
                timeout=60,
            ),
            "extended": Preset(variants={"rho95": {"rho": 0.95}}, seeds=5, timeout=900),
        },
        budget="10 epochs of batch 128; what a method trains besides is its own cost",
        offers={"train-groups": {}, "val-groups": {}},
        tuning={"judged": "validation"},
        references=SPURIOUS_REFERENCES,
    )
    source: ClassVar = "fashion-mnist"
    epochs: Annotated[int, Meta(ge=1)] = 10
    """Passes over the training rows."""

    def label(self, y: np.ndarray) -> np.ndarray:
        """Return 1 for pullovers, coats and shirts."""
        return np.isin(y, (2, 4, 6)).astype(np.int64)

    def pictures(self, data: Examples) -> torch.Tensor:
        """Return every second pixel (n, 1, 14, 14), on [0, 1]."""
        return data.x[:, :, ::2, ::2].float() / 255

    def marked(
        self, x: torch.Tensor, attribute: torch.Tensor, generator: np.random.Generator
    ) -> torch.Tensor:
        """Draw the article in the channel of its attribute alone, (n, 2, 14, 14)."""
        found = x.new_zeros(len(x), 2, *x.shape[2:])
        found[torch.arange(len(x)), attribute] = x[:, 0]
        return found
