"""Tasks whose attribute agrees with the label in most training rows, and says nothing of it in
validation and test rows.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Meta, Setup
from bench.training.data import Examples

from ._task import GroupTask, Parts, Rows

TRAIN, VAL = 0.6, 0.16
"""Shares of the rows; the others are test rows."""


def split(rows: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the row numbers of training, validation and test part."""
    order = generator.permutation(rows)
    first, second = round(TRAIN * rows), round((TRAIN + VAL) * rows)
    return order[:first], order[first:second], order[second:]


def drawn_attribute(
    y: np.ndarray, values: int, rho: float, generator: np.random.Generator
) -> np.ndarray:
    """Return a value of the attribute for each label (n,): the label itself with probability
    ``rho`` in [0, 1], else one of the others, all alike.
    """
    agrees = generator.random(len(y)) < rho
    other = (y + generator.integers(1, values, len(y))) % values
    return np.where(agrees, y, other)


def flipped(
    y: np.ndarray, classes: int, share: float, generator: np.random.Generator
) -> np.ndarray:
    """Return labels (n,) of which a ``share`` in [0, 1] is drawn from the other classes."""
    wrong = generator.random(len(y)) < share
    return np.where(wrong, (y + generator.integers(1, classes, len(y))) % classes, y)


class SpuriousTask(GroupTask):
    """Draw the attribute of every row and put it into its input."""

    source: ClassVar[str]
    """Name of the dataset."""

    rho: Annotated[float, Meta(ge=0, le=1)] = 0.95
    """Probability that a training row's attribute is that of its label."""
    label_noise: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """Share of training labels that are wrong; the attribute goes with the label as given."""
    n_train: Annotated[int, Meta(ge=0)] = 0
    """Use this many training rows; 0: all."""

    def label(self, y: np.ndarray) -> np.ndarray:
        """Return the labels (n,) of the task for those of the dataset."""
        return (y >= 5).astype(np.int64)

    def pictures(self, data: Examples) -> torch.Tensor:
        """Return the inputs before the attribute is put into them (n, ...), on [0, 1]."""
        raise NotImplementedError

    def marked(
        self, x: torch.Tensor, attribute: torch.Tensor, generator: np.random.Generator
    ) -> torch.Tensor:
        """Return inputs (n, ...) that show their attribute (n,)."""
        raise NotImplementedError

    def parts(self, run: Setup) -> Parts:
        """Split, flip training labels, draw attributes."""
        data = run.dataset(self.source)
        x, y = self.pictures(data), self.label(data.y.cpu().numpy())
        train, val, test = split(len(y), run.numpy_generator("split"))
        train = train[: self.n_train or None]
        noise = run.numpy_generator("corruption", "labels")
        given = flipped(y[train], self.classes, self.label_noise, noise)
        free = 1 / self.values
        made = [
            self._part(x[rows], labels, rho, run.numpy_generator("corruption", name))
            for name, rows, labels, rho in (
                ("train", train, given, self.rho),
                ("val", val, y[val], free),
                ("test", test, y[test], free),
                ("balanced", train, given, free),
            )
        ]
        return Parts(train=made[0], val=made[1], test=made[2], upper=made[3].x)

    def _part(
        self, x: torch.Tensor, y: np.ndarray, rho: float, generator: np.random.Generator
    ) -> Rows:
        attribute = torch.from_numpy(drawn_attribute(y, self.values, rho, generator))
        return Rows(
            x=self.marked(x, attribute, generator), y=torch.from_numpy(y), attribute=attribute
        )
