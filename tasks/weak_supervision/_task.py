"""What the tasks of the track share: what is told, the classifier on the labels, scoring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import torch
from torch.nn import functional as F

from bench import Case, InvalidRun, Meta, Outcome, Run, Score, Setup, Task
from bench.declared import Array
from bench.tracks.weak_supervision import Panel, Problem, Solution, vote_shares
from bench.training.pictures import heat_map

from ._end_model import EndModel
from ._metrics import brier, label_accuracy


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """What no method sees.

    Attributes:
        y: labels of the training rows (N,), int64.
        x_test: inputs (T, D), float32.
        y_test: their labels (T,), int64.
    """

    y: Annotated[torch.Tensor, Array("N", dtype="int64", ge=0, lt="C")]
    x_test: Annotated[torch.Tensor, Array("T", "D", dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("T", dtype="int64", ge=0, lt="C")]


class Voted(msgspec.Struct, frozen=True, kw_only=True):
    """Rows, their labels and what the sources say of them, before anything is hidden.

    Attributes:
        x: inputs of the training rows (N, D), float32.
        y: their labels (N,), int64.
        votes: (N, m), int64, -1 where a source abstains.
        x_test: inputs of the test rows (T, D), float32.
        y_test: their labels (T,), int64.
        names: of the sources.
        classes: C.
    """

    x: torch.Tensor
    y: torch.Tensor
    votes: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor
    names: tuple[str, ...]
    classes: int


class WeakTask(Task):
    """Hides all labels; judged by a classifier that is trained on what the methods say they are."""

    accepts: ClassVar = Solution

    n_dev: Annotated[int, Meta(ge=1)] = 100
    """Training rows whose labels are told to methods that need ``dev-labels``."""

    def voted(self, run: Setup) -> Voted:
        """Return rows, labels and votes."""
        raise TypeError(f"{type(self).__name__} has no rows; write them.")

    def prepare(self, run: Setup) -> Case:
        """Hide the labels, but for what the offers tell."""
        rows = self.voted(run)
        if self.n_dev > len(rows.y):
            raise InvalidRun(
                f"n_dev is {self.n_dev}, and there are {len(rows.y)} training rows; tell fewer "
                "labels"
            )
        told = torch.full_like(rows.y, -1)
        order = run.numpy_generator("corruption", "dev").permutation(len(rows.y))
        dev = torch.from_numpy(order[: self.n_dev].copy())
        told[dev] = rows.y[dev]
        share = torch.bincount(rows.y, minlength=rows.classes).float() / len(rows.y)
        problem = Problem(
            votes=rows.votes.to(run.device),
            x=rows.x.to(run.device),
            n_classes=rows.classes,
            names=rows.names,
            class_prior=share,
            dev_labels=told.to(run.device),
        )
        hidden = Hidden(y=rows.y, x_test=rows.x_test, y_test=rows.y_test)
        return Case(problems=[problem], hidden=hidden)

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Train the classifier on the labels of rows with a vote, and judge both."""
        problem, hidden = case.problems[0], case.hidden
        solution: Solution = outcomes[0].solution
        covered = (problem.votes >= 0).any(1).cpu().numpy()
        x, y = problem.x.cpu().numpy()[covered], hidden.y.cpu().numpy()[covered]
        x_test, y_test = hidden.x_test.cpu().numpy(), hidden.y_test.cpu().numpy()

        def reached(proba: torch.Tensor) -> float:
            model = EndModel(x, proba.double().cpu().numpy()[covered])
            return 100 * float((model.classes(x_test) == y_test).mean())

        low = reached(vote_shares(Panel([problem], [run]))[0])
        high = reached(one_hot(hidden.y, problem.n_classes))
        found, proba = reached(solution.proba), solution.proba.double().cpu().numpy()[covered]
        return Score(
            metrics={
                "end_acc": found,
                "label_acc": label_accuracy(proba, y),
                "brier": brier(proba, y),
                "coverage": 100 * float(covered.mean()),
                "gap_closed": 100 * (found - low) / (high - low) if high > low else None,
            },
            images={"sources": sources(problem, hidden.y.cpu().numpy())},
        )

    def tell(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the true labels."""
        return Solution(proba=one_hot(hidden.y, problem.n_classes).to(problem.x.device))


def one_hot(y: torch.Tensor, classes: int) -> torch.Tensor:
    """Return labels (n,) as probabilities (n, C), float32."""
    return F.one_hot(y, classes).float()


def sources(problem: Problem, y: np.ndarray) -> np.ndarray:
    """Draw how often each source votes, and how often it is right when it does."""
    votes = problem.votes.cpu().numpy()
    cast = votes >= 0
    right = ((votes == y[:, None]) & cast).sum(0)
    table = np.stack([cast.mean(0), right / np.where(cast.sum(0), cast.sum(0), np.nan)], 1)
    return heat_map(100 * table, problem.names, ("votes", "right"), "Share of rows, %")
