"""Tumours, and thresholds on twelve measurements as sources."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Meta, Preset, Setup, TaskCard
from bench.training.data import standardised, stratified_split

from ._metrics import METRICS, REFERENCES
from ._task import Voted, WeakTask

MEASURES = {
    "radius": 0,
    "texture": 1,
    "perimeter": 2,
    "area": 3,
    "smoothness": 4,
    "compactness": 5,
    "concavity": 6,
    "concave points": 7,
    "symmetry": 8,
    "fractal": 9,
    "texture error": 11,
    "symmetry error": 18,
}
"""Source -> its column."""
MALIGNANT, BENIGN = 0, 1


class WeakCancer(WeakTask):
    """A source says malignant above a high quantile of its measurement and benign below a low one,
    and abstains between; several measurements say nothing of the class, and most depend on size.
    """

    card: ClassVar = TaskCard(
        name="weak-cancer",
        title="Tumours by thresholds on their measurements",
        track="weak-supervision",
        datasets=("breast-cancer",),
        inputs="table",
        libraries=("scipy",),
        metrics=METRICS,
        presets={
            "smoke": Preset(variants={"thresholds": {}}, seeds=1, timeout=60),
            "default": Preset(variants={"thresholds": {}}, seeds=5, timeout=300),
        },
        budget="the votes as they are; methods choose how often they pass over them",
        offers={"class-prior": {}, "dev-labels": {}},
        references=REFERENCES,
    )
    n_test: Annotated[int, Meta(ge=1, le=500)] = 169
    """Test rows."""
    low: Annotated[float, Meta(ge=0, le=0.5)] = 0.3
    """Share of the training rows that a source says are benign."""
    high: Annotated[float, Meta(ge=0.5, le=1)] = 0.7
    """Share of the training rows that a source does not say are malignant."""

    def voted(self, run: Setup) -> Voted:
        """Split, standardise, and let every measurement vote."""
        data = run.dataset("breast-cancer")
        labels = data.y.numpy()
        train, test = stratified_split(labels, self.n_test, run.numpy_generator("split"))
        train = run.numpy_generator("split", "order").permutation(train)
        measured = data.x.numpy()[train][:, list(MEASURES.values())]
        edges = np.quantile(measured, (self.low, self.high), axis=0)
        votes = np.where(measured > edges[1], MALIGNANT, np.where(measured < edges[0], BENIGN, -1))
        own, other = standardised(data.x[train], data.x[test])
        return Voted(
            x=own,
            y=data.y[train],
            votes=torch.from_numpy(votes),
            x_test=other,
            y_test=data.y[test],
            names=tuple(MEASURES),
            classes=data.classes,
        )
