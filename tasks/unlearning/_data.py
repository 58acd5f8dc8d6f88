"""What the tasks of the track share of data: train, validation, pool and
test rows, and label noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
import numpy as np
import torch

from bench import Run, Setup
from bench.declared import Array, Size
from bench.training.data import Examples, standardised, stratified_split

PARTED = ("cifar10", "cifar100", "svhn", "fashion-mnist")
"""Datasets that come in a training and a test part: all of the latter is tested on."""


class Data(msgspec.Struct, frozen=True):
    """Rows of a dataset in their parts.

    Labels of all parts but the test part went through the same label process.

    Attributes:
        x: training inputs (N, ...), standardised.
        y: training labels (N,).
        y_true: the labels before label noise (N,).
        x_val: validation inputs, which methods may see; never trained on.
        y_val: their labels.
        x_pool: held-out inputs for the attacks, which no method sees.
        y_pool: their labels.
        x_test: test inputs.
        y_test: clean labels.
        classes: C.
    """

    x: Annotated[torch.Tensor, Array("N", ..., dtype="float32")]
    y: Annotated[torch.Tensor, Array("N", dtype="int64", ge=0, lt="classes")]
    y_true: Annotated[torch.Tensor, Array("N", dtype="int64", ge=0, lt="classes")]
    x_val: Annotated[torch.Tensor, Array("V", ..., dtype="float32")]
    y_val: Annotated[torch.Tensor, Array("V", dtype="int64", ge=0, lt="classes")]
    x_pool: Annotated[torch.Tensor, Array("pool", ..., dtype="float32")]
    y_pool: Annotated[torch.Tensor, Array("pool", dtype="int64", ge=0, lt="classes")]
    x_test: Annotated[torch.Tensor, Array("T", ..., dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("T", dtype="int64", ge=0, lt="classes")]
    classes: Annotated[int, Size("classes")]


def load(run: Setup, source: str, n_train: int, n_val: int, n_pool: int, noise: float) -> Data:
    """Split the dataset ``source`` by classes, standardise by the training part, and redraw a
    share ``noise`` of the labels of each class.

    The seed draws all parts, but the test part of a dataset that brings one.
    """
    examples: Examples = (
        run.dataset(source, split="train") if source in PARTED else run.dataset(source)
    )
    y = examples.y.cpu().numpy()
    sizes = [n_train, n_val, n_pool]

    def draw(child: Run) -> dict[str, torch.Tensor]:
        split, corruption = child.numpy_generator("split"), child.numpy_generator("corruption")
        rows = parts(y, sizes, split)
        labels = {
            f"{name}_labels": noisy(y[rows[name]], noise, examples.classes, corruption)
            for name in ("train", "val", "pool")
        }
        return {name: torch.from_numpy(part) for name, part in (rows | labels).items()}

    # An artifact, since its streams know the recipe and not the task: tasks of equal data share
    # rows and labels, and so originals.
    recipe = {
        "what": "unlearning split and labels",
        "seed": run.seed,
        "data": source,
        "sizes": sizes,
        "noise": noise,
    }
    drawn = {name: part.to(examples.y.device) for name, part in run.cached(recipe, draw)[0].items()}
    train, val, pool, test = (drawn[name] for name in ("train", "val", "pool", "test"))
    tested: Examples = (
        run.dataset(source, split="test")
        if source in PARTED
        else Examples(examples.x[test], examples.y[test], examples.classes)
    )
    x = standardised(*(examples.x[rows] for rows in (train, val, pool)), tested.x)
    given = [drawn[f"{name}_labels"] for name in ("train", "val", "pool")]
    return Data(
        x[0],
        given[0],
        examples.y[train],
        x[1],
        given[1],
        x[2],
        given[2],
        x[3],
        tested.y,
        examples.classes,
    )


def rehearsed(data: Data, generator: np.random.Generator) -> Data:
    """Return data in which half of the validation rows stand for the pool and for the test rows,
    whose own rows are in none of its parts.
    """
    seen, held = (
        torch.from_numpy(rows).to(data.y.device)
        for rows in stratified_split(data.y_val.cpu().numpy(), len(data.y_val) // 2, generator)
    )
    x, y = data.x_val[held], data.y_val[held]
    return msgspec.structs.replace(
        data, x_val=data.x_val[seen], y_val=data.y_val[seen], x_pool=x, y_pool=y, x_test=x, y_test=y
    )


def parts(
    y: np.ndarray, sizes: Sequence[int], generator: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw rows for ``train``, ``val`` and ``pool``, ``sizes`` of each and
    class by class in proportion; the rest is ``test``.
    """
    n_train, n_val, n_pool = sizes
    used, test = stratified_split(y, len(y) - n_train - n_val - n_pool, generator)
    known, pool = (used[part] for part in stratified_split(y[used], n_pool, generator))
    train, val = (known[part] for part in stratified_split(y[known], n_val, generator))
    return {"train": train, "val": val, "pool": pool, "test": test}


def noisy(y: np.ndarray, rate: float, classes: int, generator: np.random.Generator) -> np.ndarray:
    """Return labels (n,) of which round(rate n_c) of each class c moved to
    one of the other classes, uniformly.
    """
    changed = y.astype(np.int64)
    for c in range(classes):
        rows = np.flatnonzero(y == c)
        moved = generator.permutation(rows)[: round(rate * len(rows))]
        changed[moved] = (y[moved] + generator.integers(1, classes, len(moved))) % classes
    return changed
