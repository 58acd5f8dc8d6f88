"""What the tasks on graphs from files of other benchmarks share."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import torch

from bench import Setup
from bench.tracks.graph_ood import Kind, kind_of

from ._molecule_task import CARVED, split_rows
from ._task import GraphTask, Split

FULL = {"hidden": 300, "layers": 5, "dropout": 0.5, "lr": 0.001, "epochs": 100, "batch_size": 32}
"""The protocol of the preset ``paper``: the nets and steps that these benchmarks start from."""
SHORT = {"hidden": 16, "epochs": 2}


class FileTask(GraphTask):
    """Five splits of a set that has official parts, or sizes."""

    source: ClassVar[str]
    """Name of the dataset."""

    def ask(self) -> dict[str, Any]:
        """Return the parameters of the dataset."""
        raise NotImplementedError

    def rows(self, data: Any, run: Setup) -> dict[str, np.ndarray]:
        """Return the rows of the five splits."""
        raise NotImplementedError

    def splits(self, run: Setup) -> dict[str, Split]:
        """Take the rows of each split; training graphs keep their environments."""
        data = run.dataset(self.source, **self.ask())
        found = {}
        for name, chosen in self.rows(data, run).items():
            rows = torch.from_numpy(chosen).to(data.y.device)
            env = data.env[rows] if data.env is not None and name == "train" else None
            found[name] = Split(graphs=data.graphs.take(rows), y=data.y[rows], env=env)
        return found

    def outputs(self, train: Split) -> tuple[Kind, int]:
        """Read the kind off the labels."""
        kind = kind_of(train.y)
        return kind, int(train.y.max()) + 1 if kind == "classes" else train.y.shape[1]


def carved(pool: np.ndarray, run: Setup) -> dict[str, np.ndarray]:
    """Return training, ID validation and ID test rows, the latter two one
    part in eight each of ``pool``.
    """
    pool = run.numpy_generator("split").permutation(pool)
    cut = len(pool) // CARVED
    return {
        name: np.sort(rows)
        for name, rows in (
            ("train", pool[2 * cut :]),
            ("id_val", pool[:cut]),
            ("id_test", pool[cut : 2 * cut]),
        )
    }


def by_size(data: Any, run: Setup) -> dict[str, np.ndarray]:
    """Return rows by the number of nodes: the smallest four fifths are the
    pool, the largest tenth is the OOD test.
    """
    kind: Literal["size"] = "size"
    return split_rows(data.graphs.nodes.cpu().numpy(), kind, run.numpy_generator("split"))
