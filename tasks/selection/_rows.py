"""Rows to choose among and rows to judge by, and the labels they are given."""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np
import torch

from bench import Case
from bench.declared import Array
from bench.tracks.selection import Problem
from bench.training.data import stratified_split


class Hidden(msgspec.Struct, frozen=True):
    """What no method sees: test examples, true labels of training rows, and which are wrong."""

    x_test: Annotated[torch.Tensor, Array("T", ..., dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("T", dtype="int64", ge=0, lt="C")]
    y_true: Annotated[torch.Tensor, Array("N", dtype="int64", ge=0, lt="C")]
    wrong: Annotated[torch.Tensor, Array("N", dtype="bool")]


def some(rows: np.ndarray, y: np.ndarray, most: int, generator: np.random.Generator) -> np.ndarray:
    """Return ``most`` of the rows (n,), class by class in proportion to their labels ``y[rows]``;
    all where there are no more, or ``most`` is 0.
    """
    if 0 < most < len(rows):
        return rows[stratified_split(y[rows], most, generator)[1]]
    return rows


def held_out(problem: Problem, share: float, generator: np.random.Generator) -> Case:
    """Return a case of the training rows alone: a part of them, in proportion by given label, is
    what nets trained on the others are judged by. No test row and no true label is in it.
    """
    kept, held = (
        torch.from_numpy(rows).to(problem.y.device)
        for rows in stratified_split(
            problem.y.cpu().numpy(), max(1, round(share * len(problem.y))), generator
        )
    )
    rest = msgspec.structs.replace(problem, x=problem.x[kept], y=problem.y[kept])
    hidden = Hidden(
        problem.x[held], problem.y[held], rest.y, torch.zeros_like(rest.y, dtype=torch.bool)
    )
    return Case(problems=[rest], hidden=hidden)


def moved(
    y: np.ndarray, rate: float, classes: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Move round(rate N) labels (N,) to other classes, uniformly; return them, and which moved."""
    wrong = np.zeros(len(y), dtype=bool)
    wrong[generator.permutation(len(y))[: round(rate * len(y))]] = True
    given = np.where(wrong, (y + generator.integers(1, classes, len(y))) % classes, y)
    return given.astype(np.int64), wrong
