"""Graphs from files of other benchmarks: where they lie, how they are
fetched, what their labels are.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import torch

from bench import DataUnavailable
from bench.training.hub import data_root

if TYPE_CHECKING:
    from bench.training.graphs import Graphs


class GraphSet(msgspec.Struct, frozen=True, kw_only=True):
    """Graphs with labels.

    Attributes:
        graphs: the G graphs.
        y: classes (G,) int64, answers (G, C) int8 with -1 where one is missing, or targets (G, C)
            float32 with NaN there.
        part: number of the official part that each belongs to (G,), int64; all 0 where there are
            none.
        env: environment of each (G,), int64, -1 where it has none; or no environments at all.
    """

    graphs: Graphs
    y: torch.Tensor
    part: torch.Tensor
    env: torch.Tensor | None = None

    @classmethod
    def of(cls, tensors: dict[str, torch.Tensor]) -> GraphSet:
        """Return the record of what :meth:`tensors` made."""
        from bench.training.graphs import Graphs

        graphs = Graphs(*(tensors[name] for name in Graphs.__struct_fields__))
        return cls(graphs=graphs, y=tensors["y"], part=tensors["part"], env=tensors.get("env"))


def packed(
    graphs: Sequence[tuple[np.ndarray, np.ndarray]],
    y: torch.Tensor,
    part: np.ndarray | None = None,
    env: np.ndarray | None = None,
) -> dict[str, torch.Tensor]:
    """Return the tensors of a :class:`GraphSet`.

    Loops are left out: the layers add a node to itself anyway.
    """
    from bench.training.graphs import Graphs

    found = Graphs.pack([(x, edges[:, edges[0] != edges[1]]) for x, edges in graphs])
    tensors = {name: getattr(found, name) for name in found.__struct_fields__} | {"y": y}
    tensors["part"] = torch.from_numpy(
        np.zeros(len(graphs), dtype=np.int64) if part is None else part.astype(np.int64)
    )
    return tensors if env is None else tensors | {"env": torch.from_numpy(env.astype(np.int64))}


def labels(y: np.ndarray) -> torch.Tensor:
    """Return whole numbers of one column as classes, counted from 0; yes,
    no and NaN as answers; anything else as targets.
    """
    y = y.reshape(len(y), -1)
    if np.issubdtype(y.dtype, np.integer) and y.shape[1] == 1:
        return torch.from_numpy(np.unique(y[:, 0], return_inverse=True)[1].astype(np.int64))
    if np.isin(y[~np.isnan(y)], (0, 1)).all():
        return torch.from_numpy(np.where(np.isnan(y), -1, y).astype(np.int8))
    return torch.from_numpy(y.astype(np.float32))


def folder_of(name: str, url: str = "", how: str = "") -> Path:
    """Return the folder ``name`` of local data sets, fetched and unpacked first where that is
    allowed.

    Args:
        name: of the folder in ``$BENCH_DATA``.
        url: of a zip file that holds this folder; "": it can't be fetched.
        how: where a user gets it, a sentence without its full stop.

    Raises:
        DataUnavailable: it is not here, and may not or could not be fetched.
    """
    folder = data_root() / name
    if folder.is_dir():
        return folder
    missing = f"the data set {name!r} is not on this machine: there is no folder {str(folder)!r}"
    if not url or os.environ.get("BENCH_HUB") != "1":
        fetch = ", or set BENCH_HUB=1 to let bench fetch it" if url else ""
        raise DataUnavailable(f"{missing}; {how or f'unpack {url} there'}{fetch}.")
    from torch_geometric.data import download_url, extract_zip

    folder.parent.mkdir(parents=True, exist_ok=True)
    # beside it, so that it appears whole or not at all
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        try:
            extract_zip(download_url(url, scratch, log=False), scratch, log=False)
        except Exception as error:  # whatever the network, the host or the archive does
            raise DataUnavailable(
                f"{missing}, and fetching {url} failed: {error}; try again later or unpack it "
                "there by hand."
            ) from error
        inside = sorted(path for path in Path(scratch).iterdir() if path.is_dir())
        if not inside:
            raise DataUnavailable(f"{missing}, and {url} holds no folder; get it by hand.")
        (inside[0]).rename(folder)
    return folder


def stamps(files: Sequence[Path]) -> list[list[str | int]]:
    """Return what tells one copy of files from another: names, sizes, times."""
    return [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files]
