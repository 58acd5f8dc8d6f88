"""Votes drawn from sources that are independent given the class, or copies of one another."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Meta, Preset, Setup, TaskCard

from ._metrics import METRICS, REFERENCES
from ._task import Voted, WeakTask

_INPUTS = 200


class WeakGenerated(WeakTask):
    """Gaussian rows, and sources whose accuracies are drawn evenly between two bounds; a wrong vote
    is any other class.
    """

    card: ClassVar = TaskCard(
        name="weak-generated",
        title="Generated votes",
        track="weak-supervision",
        inputs="table",
        libraries=("scipy",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"uneven": {}},
                params={"n_train": 300, "n_test": 200},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "uneven": {},
                    "four": {"classes": 4, "sources": 10},
                    "clones": {"copies": 4},
                },
                seeds=5,
                timeout=300,
            ),
        },
        budget="the votes as they are; methods choose how often they pass over them",
        offers={"class-prior": {}, "dev-labels": {}},
        references=REFERENCES,
    )
    n_train: Annotated[int, Meta(ge=2)] = 2000
    """Training rows."""
    n_test: Annotated[int, Meta(ge=1)] = 2000
    """Test rows."""
    classes: Annotated[int, Meta(ge=2, le=10)] = 2
    """Classes, equally frequent."""
    sources: Annotated[int, Meta(ge=1)] = 8
    """Independent sources."""
    lowest: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """Least accuracy of a source when it votes."""
    highest: Annotated[float, Meta(ge=0, le=1)] = 0.9
    """Greatest accuracy of a source when it votes."""
    cover: Annotated[float, Meta(gt=0, le=1)] = 0.4
    """Chance of a source to vote on a row."""
    copies: Annotated[int, Meta(ge=0)] = 0
    """Further sources that all say what the least accurate one says."""
    apart: Annotated[float, Meta(ge=0)] = 2.0
    """Distance of a class's mean from 0, each class along an input of its own."""

    def voted(self, run: Setup) -> Voted:
        """Draw rows and votes."""
        drawn = run.numpy_generator("split")
        total = self.n_train + self.n_test
        y = drawn.integers(self.classes, size=total)
        x = drawn.standard_normal((total, _INPUTS))
        x[np.arange(total), y] += self.apart
        votes = self._votes(y[: self.n_train], run.numpy_generator("corruption"))
        rows, labels = torch.from_numpy(x).float(), torch.from_numpy(y)
        return Voted(
            x=rows[: self.n_train],
            y=labels[: self.n_train],
            votes=torch.from_numpy(votes),
            x_test=rows[self.n_train :],
            y_test=labels[self.n_train :],
            names=tuple(f"source-{number + 1}" for number in range(votes.shape[1])),
            classes=self.classes,
        )

    def _votes(self, y: np.ndarray, drawn: np.random.Generator) -> np.ndarray:
        """Return the votes (N, m) on rows with labels (N,)."""
        shape = (len(y), self.sources)
        low, high = sorted((self.lowest, self.highest))
        accuracy = drawn.uniform(low, high, self.sources)
        other = (y[:, None] + drawn.integers(1, self.classes, size=shape)) % self.classes
        votes = np.where(drawn.random(shape) < accuracy, y[:, None], other)
        votes = np.where(drawn.random(shape) < self.cover, votes, -1)
        worst = votes[:, [int(accuracy.argmin())]]
        return np.concatenate([votes, *[worst] * self.copies], 1)
