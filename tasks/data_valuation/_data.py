"""The problem that the tasks of the track share: rows of which some are corrupted."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import numpy as np
import torch

from bench import Case, InvalidRun, Meta, Setup, Task
from bench.declared import Array
from bench.tracks.data_valuation import Problem, Utility
from bench.tracks.data_valuation_games import Game, game_of
from bench.training.data import Examples


class Hidden(msgspec.Struct, kw_only=True):
    """What no method sees.

    Attributes:
        x_test: inputs (n, ...), float32.
        y_test: their labels or numbers (n,).
        y_true: labels of the training rows before any was changed (N,).
        bad: training rows that were corrupted (N,), bool.
        twin: row that each row is a copy of (N,), int64; its own number where it is none.
        utility: what sets of rows are worth, whether or not the method asked for it.
    """

    x_test: Annotated[torch.Tensor, Array("n", ..., dtype="float32")]
    y_test: torch.Tensor
    y_true: torch.Tensor
    bad: Annotated[torch.Tensor, Array("N", dtype="bool")]
    twin: Annotated[torch.Tensor, Array("N", dtype="int64", ge=0, lt="N")]
    utility: Utility


class RowsTask(Task):
    """Draws rows, corrupts some of them and hands out the rest of what a method needs."""

    data: Literal["digits", "breast-cancer", "wine", "iris"] = "digits"
    """The dataset."""
    n_train: Annotated[int, Meta(ge=4)] = 300
    """Training rows."""
    n_val: Annotated[int, Meta(ge=2)] = 300
    """Validation rows, whose labels methods see."""
    n_test: Annotated[int, Meta(ge=2)] = 400
    """Test rows, which they do not."""
    rate: Annotated[float, Meta(ge=0, lt=1)] = 0.2
    """Share of the training rows that is corrupted, exactly, before rows are copied (dup)."""
    val_noise: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of the validation labels that is moved to another class too."""
    dup: Annotated[float, Meta(ge=0, le=0.5)] = 0.0
    """Share of the training rows that are exact copies of others."""
    imbalance: Annotated[float, Meta(ge=1)] = 1.0
    """Training rows of the first class for one of the last; those between fall geometrically."""

    def utility(self, classes: int) -> Utility:
        """Return the utility; the empty set is worth a guess."""
        return Utility(empty=1 / classes)

    def prepare(self, run: Setup) -> Case:
        """Draw and corrupt the rows."""
        data: Examples = run.dataset(self.data)
        self.fits_labels(data.classes)
        parts = self._split(data, run.numpy_generator("split"))
        x, x_val, x_test = _scaled(*(data.x[part] for part in parts))
        y, y_val, y_test = (data.y[part] for part in parts)
        generator = run.numpy_generator("corruption")
        truth = y.clone()
        x, y, bad = self._corrupted(x, y, data.classes, generator)
        y_val = moved(y_val, data.classes, self.val_noise, generator)[0]
        twin = torch.arange(len(y), device=y.device)
        copies = min(round(self.dup * len(y)), len(y) // 2)  # no copy of a copy
        if copies:  # the last rows become copies of the first
            twin[-copies:] = torch.arange(copies, device=y.device)
            x, y, bad, truth = x[twin], y[twin], bad[twin], truth[twin]
        problem = Problem(
            x=x,
            y=y,
            x_val=x_val,
            y_val=y_val,
            n_classes=data.classes,
            utility=self.utility(data.classes),
            classes=data.classes or None,
        )
        hidden = Hidden(
            x_test=x_test,
            y_test=y_test,
            y_true=truth,
            bad=bad,
            twin=twin,
            utility=self.utility(data.classes),
        )
        return Case(problems=[self.shaped(problem)], hidden=hidden)

    def shaped(self, problem: Problem) -> Problem:
        """Return the problem as the task hands it out; tasks add what they ask for."""
        return problem

    def fits_labels(self, classes: int) -> None:
        """Hold the parameters against the labels of the dataset; ``classes`` is 0 for numbers."""

    def _corrupted(
        self, x: torch.Tensor, y: torch.Tensor, classes: int, generator: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return inputs, labels and which rows were changed: here, labels."""
        return x, *moved(y, classes, self.rate, generator)

    def _split(self, data: Examples, generator: np.random.Generator) -> list[torch.Tensor]:
        """Return the rows of the three parts."""
        sizes = (self.n_train, self.n_val, self.n_test)
        if sum(sizes) > len(data.y):
            raise InvalidRun(
                f"n_train, n_val and n_test are {sizes}, {sum(sizes)} rows together, and "
                f"{self.data} has {len(data.y)}; ask for fewer"
            )
        order = generator.permutation(len(data.y))
        if self.imbalance > 1:
            labels = data.y.cpu().numpy()[order]
            order = self._skewed(order, labels, data.classes, generator)
        return list(torch.from_numpy(order[: sum(sizes)]).to(data.y.device).split(sizes))

    def _skewed(
        self, order: np.ndarray, y: np.ndarray, classes: int, generator: np.random.Generator
    ) -> np.ndarray:
        """Return the rows with so many of each class first, in a random order, that the training
        part is skewed.
        """
        share = self.imbalance ** -(np.arange(classes) / max(1, classes - 1))
        wanted = self.n_train * share / share.sum()
        take = np.floor(wanted).astype(int)
        take[np.argsort(take - wanted, kind="stable")[: self.n_train - take.sum()]] += 1
        first = np.concatenate([np.flatnonzero(y == c)[: take[c]] for c in range(classes)])
        if len(first) < self.n_train:
            raise InvalidRun(
                f"{self.data} has too few rows of a class for n_train={self.n_train} at "
                f"imbalance={self.imbalance:g}; ask for fewer rows or a smaller imbalance"
            )
        rest = np.setdiff1d(np.arange(len(order)), first)
        return np.concatenate([order[generator.permutation(first)], order[rest]])


def moved(
    y: torch.Tensor, classes: int, rate: float, generator: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return labels (n,) of which a share was moved to another class, and which ones (n,), bool."""
    bad = torch.zeros(len(y), dtype=torch.bool, device=y.device)
    rows = generator.permutation(len(y))[: round(rate * len(y))]
    steps = generator.integers(1, max(2, classes), len(rows))
    if not len(rows):
        return y, bad
    at = torch.from_numpy(rows).to(y.device)
    y = y.clone()
    y[at] = (y[at] + torch.from_numpy(steps).to(y.device)) % classes
    bad[at] = True
    return y, bad


def _scaled(train: torch.Tensor, *others: torch.Tensor) -> list[torch.Tensor]:
    """Return pictures on a scale of 0 to 1, centred pixel by pixel; tables with mean 0 and variance
    1 a column: all by the training rows.
    """
    if train.dim() == 2:
        mean, std = train.float().mean(0), train.float().std(0)
        # a column that does not vary in the training rows keeps its scale
        std = torch.where(std > 1e-6 * train.float().abs().amax(0), std, 1.0)
        return [(part.float() - mean) / std for part in (train, *others)]
    scale = float(train.max()) or 1.0
    mean = (train.float() / scale).mean(0)
    return [part.float() / scale - mean for part in (train, *others)]


def uncentred(x: torch.Tensor, train: torch.Tensor) -> torch.Tensor:
    """Return pictures (n, ...) as they were before they were centred, but for pixels that are never
    dark in the training rows (N, ...).
    """
    return (x - train.amin(0)).cpu()


def judged_game(problem: Problem, hidden: Hidden) -> Game:
    """Return the game of the utility on the hidden test rows."""
    whole = msgspec.structs.replace(problem, utility=hidden.utility)
    return game_of(whole, (hidden.x_test, hidden.y_test))
