"""A hundred classes whose sizes follow Zipf's law."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Meta, Metric, Preset, Setup, TaskCard
from bench.training.data import Examples

from ._metrics import REFERENCES, REST
from ._task import LongTailTask


class ZipfPairs(LongTailTask):
    """Two digits side by side are a class; the class of rank k has a k-th of the largest's rows."""

    card: ClassVar = TaskCard(
        name="zipf-pairs",
        title="Pairs of digits whose classes follow Zipf's law",
        track="long-tail",
        datasets=("digits",),
        metrics=(
            Metric(
                name="bal_acc",
                primary=True,
                unit="%",
                bounds=(0, 100),
                chance=1,
                title="mean of the classes' accuracies",
            ),
            *REST,
        ),
        presets={
            "smoke": Preset(
                variants={"n300": {"largest": 100}},
                params={"epochs": 2, "widths": [64]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"n300": {"largest": 300}}, seeds=5, timeout=300),
        },
        budget="30 epochs of batch 64; what a method spends beyond one pass a step is counted",
        tuning={"holdout": 0.2},
        references=REFERENCES,
        paper="arXiv:2402.19449",
    )
    source: ClassVar = "digits"
    per_class: ClassVar = 20
    pooled: ClassVar = 320
    """Pairs of each class that may be trained on."""

    largest: Annotated[int, Meta(ge=1, le=320)] = 300
    """Rows of the largest class."""
    epochs: Annotated[int, Meta(ge=1)] = 30
    """Passes over the training rows."""

    def sizes(self, classes: int) -> np.ndarray:
        """Return how many rows each class has (C,): the first has the most, the k-th a k-th."""
        return np.maximum(1, self.largest // np.arange(1, classes + 1))

    def parts(self, run: Setup) -> tuple[Examples, Examples]:
        """Pair digits; those of test pairs are in no training pair."""
        data = run.dataset(self.source)
        y, generator = data.y.cpu().numpy(), run.numpy_generator("split", "pairs")
        order = np.lexsort((generator.random(len(y)), y))
        counts = np.bincount(y)
        place = np.arange(len(y)) - (counts.cumsum() - counts).repeat(counts)
        return (
            self._pairs(data, order[place >= 60], self.pooled, generator),
            self._pairs(data, order[place < 60], self.per_class, generator),
        )

    def _pairs(
        self, data: Examples, rows: np.ndarray, count: int, generator: np.random.Generator
    ) -> Examples:
        """Return ``count`` pictures of every pair of classes, of digits among ``rows`` sorted by
        class.
        """
        sizes = np.bincount(data.y[rows].cpu().numpy())
        first = sizes.cumsum() - sizes
        y = np.arange(100).repeat(count)
        sides = [
            rows[first[digit] + (generator.random(len(y)) * sizes[digit]).astype(int)]
            for digit in (y // 10, y % 10)
        ]
        x = torch.cat([data.x[side] for side in sides], -1)
        return Examples(x, torch.from_numpy(y), 100)
