"""Graph sets of the TU Dortmund collection, read by torch-geometric."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import torch

from bench import BenchError, Dataset, DatasetCard, DataUnavailable, Run, Setup

from ._graph_sets import GraphSet, folder_of, labels, packed, stamps

URL = "https://www.chrsmrrs.com/graphkerneldatasets/{}.zip"


class Tu(Dataset):
    """One set of the collection; node attributes and one-hot node labels
    where it has any, else the constant 1.
    """

    card: ClassVar = DatasetCard(
        name="tu",
        title="TUDataset collection",
        licence="each set has its own; the collection names none",
        source="arXiv:2007.08663; chrsmrrs.github.io/datasets",
        size="PROTEINS 1,113, DD 1,178, COLLAB 5,000 graphs and others",
        had="local",
        libraries=("torch_geometric",),
        paper="arXiv:2007.08663",
    )
    subset: str = "PROTEINS"
    """Name of the set in the collection."""

    def load(self, run: Setup) -> GraphSet:
        """Return the graphs in the order of the files.

        Raises:
            DataUnavailable: the files are not there or not complete.
            BenchError: the subset is no name.
        """
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.subset):
            raise BenchError(
                f"the data set tu got subset={self.subset!r}; it is a name of the collection, "
                "like PROTEINS."
            )
        folder = folder_of(self.subset, URL.format(self.subset))
        # where torch-geometric puts them, or as they are in the archive
        home = folder / "raw" if (folder / "raw").is_dir() else folder
        needed = [home / f"{self.subset}_{part}.txt" for part in ("A", "graph_indicator")]
        if absent := [path for path in needed if not path.is_file()]:
            raise DataUnavailable(
                f"{str(absent[0])!r} is missing; remove the folder {str(folder)!r} and unpack "
                f"{URL.format(self.subset)} there anew."
            )

        def build(child: Run) -> dict[str, torch.Tensor]:
            return _read(home, self.subset)

        recipe = {
            "dataset": "tu",
            "subset": self.subset,
            "files": stamps(sorted(home.glob(f"{self.subset}_*.txt"))),
        }
        return GraphSet.of(run.cached(recipe, build)[0])


def _read(home: Path, name: str) -> dict[str, torch.Tensor]:
    from torch_geometric.io import read_tu_data, read_txt_array

    data, slices, _ = read_tu_data(str(home), name)
    nodes = (
        (read_txt_array(str(home / f"{name}_graph_indicator.txt"), dtype=torch.long) - 1)
        .bincount()
        .tolist()
    )
    x = data.x if data.x is not None else torch.ones(sum(nodes), 1)
    counts = slices["edge_index"].diff().tolist()
    # its slices end with the last graph that has an edge
    edges = data.edge_index.split([*counts, *[0] * (len(nodes) - len(counts))], 1)
    return packed(
        [(a.numpy(), b.numpy()) for a, b in zip(x.split(nodes), edges, strict=True)],
        labels(data.y.numpy()),
    )
