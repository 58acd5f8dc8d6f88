"""Graphs with labelled nodes, from the files of the repository of arXiv:2302.11640."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch

from bench import Dataset, DatasetCard, DataUnavailable, Run, Setup

from ._graph_sets import folder_of, stamps

KEYS = ("node_features", "node_labels", "edges", "train_masks", "val_masks", "test_masks")
HOW = (
    "clone yandex-research/heterophilous-graphs and copy its folder data there, named "
    "heterophilous-graphs"
)
DIRECTED = ("squirrel", "chameleon")
"""Graphs of links, which have files with directions; their other files hold each edge once, from
the lower number to the higher.
"""


class Heterophilous(Dataset):
    """One graph with features and labels of its nodes, its edges as given, and ten splits.

    Edges have a direction in the four graphs of Wikipedia's pages, ``squirrel`` and ``chameleon``
    and their filtered forms: from a page to the page that it links to.
    """

    card: ClassVar = DatasetCard(
        name="heterophilous",
        title="Heterophilous graphs with labelled nodes",
        licence="MIT",
        source="yandex-research/heterophilous-graphs, folder data",
        size="from 890 to 48,921 nodes",
        had="local",
        paper="arXiv:2302.11640",
    )
    subset: Literal[
        "roman-empire",
        "amazon-ratings",
        "minesweeper",
        "tolokers",
        "questions",
        "squirrel",
        "squirrel-filtered",
        "chameleon",
        "chameleon-filtered",
    ] = "roman-empire"
    """Name of the graph."""

    def load(self, run: Setup) -> dict[str, torch.Tensor]:
        """Return ``x`` (n, f) float32, ``y`` (n,) int64, ``arcs`` (2, A) int64 as given, from
        source to target where edges have a direction, and ``parts`` (10, n) int64: 0 training, 1
        validation, 2 test, -1 none.

        Raises:
            DataUnavailable: the file is not there, or holds something else.
        """
        name = self.subset + "-directed" * self.subset.startswith(DIRECTED)
        path = folder_of("heterophilous-graphs", how=HOW) / f"{name}.npz".replace("-", "_")
        if not path.is_file():
            raise DataUnavailable(f"{str(path)!r} is missing; {HOW}.")
        recipe = {"dataset": "heterophilous", "subset": self.subset, "files": stamps([path])}

        def build(child: Run) -> dict[str, torch.Tensor]:
            return _read(path)

        return run.cached(recipe, build)[0]


def _read(path: Path) -> dict[str, torch.Tensor]:
    with np.load(path) as file:
        if absent := [key for key in KEYS if key not in file]:
            raise DataUnavailable(f"{str(path)!r} has no {absent[0]!r}; {HOW}.")
        x, y, edges, *masks = (file[key] for key in KEYS)
    parts = np.full(masks[0].shape, -1, dtype=np.int64)
    for number, mask in enumerate(masks):
        parts[mask.astype(bool)] = number
    return {
        "x": torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)),
        "y": torch.from_numpy(np.unique(y, return_inverse=True)[1].astype(np.int64).ravel()),
        "arcs": torch.from_numpy(np.ascontiguousarray(edges.T, dtype=np.int64)),
        "parts": torch.from_numpy(parts),
    }
