"""What the tasks on molecules share: splits by scaffold and by size, and their hygiene."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.random import Generator

from bench import Case, Setup
from bench.tracks.graph_ood import Kind
from bench.training.graphs import Graphs

from ._task import GraphTask, Split

POOL, VAL = 0.8, 0.1
"""Shares of the pool and of OOD validation; the rest is the OOD test."""
CARVED = 8
"""ID validation and ID test are one part in so many of the pool each."""


class MoleculeTask(GraphTask):
    """Predict a number of a molecule; OOD: scaffolds that are not in
    training, or larger molecules than any there.
    """

    source: ClassVar[str]
    """Name of the dataset."""

    split: Literal["scaffold", "size"] = "scaffold"
    """What tells OOD molecules from the others."""

    def ask(self) -> dict[str, Any]:
        """Return the parameters of the dataset."""
        return {}

    def outputs(self, train: Split) -> tuple[Kind, int]:
        """One number."""
        return "numbers", 1

    def splits(self, run: Setup) -> dict[str, Split]:
        """Split by scaffold or size; leave out repeats."""
        data = run.dataset(self.source, **self.ask())
        group = data.scaffold if self.split == "scaffold" else data.graphs.nodes
        rows = split_rows(group.cpu().numpy(), self.split, run.numpy_generator("split"))
        kept = without_repeats(rows, data.key.cpu().numpy(), data.y[:, 0].cpu().numpy())
        return {
            name: _chosen(data, torch.from_numpy(chosen).to(data.y.device))
            for name, chosen in kept.items()
        }

    def prepare(self, run: Setup) -> Case:
        """Note how many molecules were left out."""
        case = super().prepare(run)
        total = len(run.dataset(self.source, **self.ask()).y)
        case.hidden.dropped = total - sum(len(split.y) for split in case.hidden.splits.values())
        return case


def _chosen(data: Any, rows: torch.Tensor) -> Split:
    graphs: Graphs = data.graphs.take(rows)
    return Split(graphs=graphs, y=data.y[rows], cliff=data.cliff[rows])


def split_rows(
    group: np.ndarray, kind: Literal["scaffold", "size"], generator: Generator
) -> dict[str, np.ndarray]:
    """Return the rows of the five splits, each sorted.

    Whole scaffolds, the largest first (of equals the one that appears first), fill the pool, then
    OOD validation, then the OOD test; by size, single molecules do, the smallest first. ID
    validation and ID test are drawn from the pool.

    Args:
        group: scaffold, or number of heavy atoms, of each molecule (G,).
        kind: which of the two.
        generator: draws the ID splits.
    """
    n = len(group)
    if kind == "size":
        order = np.argsort(group, kind="stable")
        parts = np.split(order, [round(POOL * n), round((POOL + VAL) * n)])
    else:
        _, first, inverse, counts = np.unique(
            group, return_index=True, return_inverse=True, return_counts=True
        )
        filled: list[list[np.ndarray]] = [[], [], []]
        sizes = [0, 0, 0]
        for scaffold in np.lexsort((first, -counts)):
            place = (
                0
                if sizes[0] + counts[scaffold] <= POOL * n
                else 1
                if sizes[1] + counts[scaffold] <= VAL * n
                else 2
            )
            filled[place].append(np.flatnonzero(inverse == scaffold))
            sizes[place] += counts[scaffold]
        parts = [np.concatenate(part) if part else np.zeros(0, dtype=np.int64) for part in filled]
    pool = generator.permutation(np.sort(parts[0]))
    cut = len(pool) // CARVED
    named = {
        "train": pool[2 * cut :],
        "id_val": pool[:cut],
        "id_test": pool[cut : 2 * cut],
        "ood_val": parts[1],
        "ood_test": parts[2],
    }
    return {name: np.sort(rows) for name, rows in named.items()}


def without_repeats(
    rows: dict[str, np.ndarray], key: np.ndarray, y: np.ndarray
) -> dict[str, np.ndarray]:
    """Leave out molecules that occur in an earlier split or earlier in their own, and all training
    molecules whose repeats contradict each other.

    Args:
        rows: rows of each split, training first.
        key: equal for equal molecules (G,).
        y: targets (G,).
    """
    train = rows["train"]
    contradicted = {
        molecule
        for molecule in np.unique(key[train])
        if np.ptp(y[train][key[train] == molecule]) > 1e-6
    }
    seen: set[int] = set()
    kept = {}
    for name, part in rows.items():
        chosen = []
        for row in part:
            if key[row] not in seen and not (name == "train" and key[row] in contradicted):
                chosen.append(row)
            seen.add(int(key[row]))
        kept[name] = np.array(chosen, dtype=np.int64)
    return kept
