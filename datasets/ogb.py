"""Molecules of the Open Graph Benchmark, from its own files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from bench import BenchError, Dataset, DatasetCard, DataUnavailable, Run, Setup

from ._graph_sets import GraphSet, folder_of, labels, packed, stamps

URL = "https://snap.stanford.edu/ogb/data/graphproppred/csv_mol_download/{}.zip"
PARTS = ("train", "valid", "test")


class Ogb(Dataset):
    """One of the sets ``ogbg-mol...`` with its official scaffold split;
    each column of atom features one-hot.
    """

    card: ClassVar = DatasetCard(
        name="ogb",
        title="Open Graph Benchmark, molecules",
        licence="MIT (the benchmark's; the sets come from MoleculeNet)",
        source="arXiv:2005.00687; snap.stanford.edu/ogb",
        size="hiv 41,127, tox21 7,831, bbbp 2,039, bace 1,513, clintox 1,477, esol 1,128 "
        "molecules and others",
        had="local",
        libraries=("torch_geometric", "pandas"),
        paper="arXiv:2005.00687",
    )
    subset: str = "bace"
    """Which: ``ogbg-molbace`` is ``bace``."""

    def load(self, run: Setup) -> GraphSet:
        """Return the molecules in the order of the files; part 0, 1, 2 are the official training,
        validation and test parts.

        Raises:
            DataUnavailable: the files are not there or not complete.
            BenchError: the subset is no name.
        """
        if not re.fullmatch(r"[a-z0-9]+", self.subset):
            raise BenchError(
                f"the data set ogb got subset={self.subset!r}; it is the end of a name "
                "ogbg-mol..., like bace."
            )
        folder = folder_of(f"ogbg_mol{self.subset}", URL.format(self.subset))
        files = [
            folder / "raw" / f"{name}.csv.gz"
            for name in ("num-node-list", "num-edge-list", "node-feat", "edge", "graph-label")
        ]
        files += [folder / "split" / "scaffold" / f"{part}.csv.gz" for part in PARTS]
        if absent := [path for path in files if not path.is_file()]:
            raise DataUnavailable(
                f"{str(absent[0])!r} is missing; remove the folder {str(folder)!r} and unpack "
                f"{URL.format(self.subset)} there anew."
            )

        def build(child: Run) -> dict[str, torch.Tensor]:
            return _read(files)

        return GraphSet.of(
            run.cached({"dataset": "ogb", "subset": self.subset, "files": stamps(files)}, build)[0]
        )


def _read(files: list[Path]) -> dict[str, torch.Tensor]:
    import pandas

    nodes, edges, features, ends, y, *parts = (
        pandas.read_csv(path, header=None).to_numpy() for path in files
    )
    # of what occurs: unused codes would be columns of zeros
    columns = [np.unique(column, return_inverse=True)[1] for column in features.T]
    x = np.concatenate(
        [np.eye(column.max() + 1, dtype=np.float32)[column] for column in columns], 1
    )
    cut_nodes, cut_edges = nodes[:, 0].cumsum()[:-1], edges[:, 0].cumsum()[:-1]
    graphs = list(zip(np.split(x, cut_nodes), np.split(ends.T, cut_edges, axis=1), strict=True))
    part = np.zeros(len(graphs), dtype=np.int64)
    for number, rows in enumerate(parts):
        part[rows[:, 0]] = number
    return packed(graphs, labels(y.astype(np.float64)), part)
