"""Sets of GOOD (Graph Out-of-Distribution), from the files that its library writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from bench import Dataset, DatasetCard, DataUnavailable, Run, Setup

from ._graph_sets import GraphSet, folder_of, labels, packed, stamps

PARTS = ("train", "id_val", "id_test", "val", "test")


class Good(Dataset):
    """One set, domain and shift of GOOD with its five parts; environments where it says some."""

    card: ClassVar = DatasetCard(
        name="good",
        title="GOOD: graphs out of distribution",
        licence="GPL-3.0 (the library's, which is not used here; GOODHIV is MoleculeNet's)",
        source="arXiv:2206.08452; divelab/GOOD",
        size="GOODMotif 30,000 and GOODHIV 41,127 graphs, in four forms each",
        had="local",
        libraries=("torch_geometric",),
        paper="arXiv:2206.08452",
    )
    subset: Literal[
        "GOODMotif", "GOODHIV", "GOODZINC", "GOODCMNIST", "GOODSST2", "GOODTwitter", "GOODPCBA"
    ] = "GOODMotif"
    """Name of the set."""
    domain: str = "basis"
    """What shifts."""
    shift: Literal["covariate", "concept"] = "covariate"
    """How it shifts."""

    def load(self, run: Setup) -> GraphSet:
        """Return the graphs of the five parts, one after the other; part 0 to 4: training, ID
        validation, ID test, OOD validation, OOD test.

        Raises:
            DataUnavailable: the files are not there, or hold something else.
        """
        how = (
            f"load {self.subset} once with the library of divelab/GOOD and copy the folder "
            f"{self.subset} of its data root there"
        )
        folder = folder_of(self.subset, how=how) / self.domain / "processed"
        files = [folder / f"{self.shift}_{part}.pt" for part in PARTS]
        if absent := [path for path in files if not path.is_file()]:
            raise DataUnavailable(f"{str(absent[0])!r} is missing; {how}.")

        def build(child: Run) -> dict[str, torch.Tensor]:
            return _read(files)

        recipe = {
            "dataset": "good",
            "subset": self.subset,
            "domain": self.domain,
            "shift": self.shift,
            "files": stamps(files),
        }
        return GraphSet.of(run.cached(recipe, build)[0])


def _read(files: list[Path]) -> dict[str, torch.Tensor]:
    graphs: list[tuple[np.ndarray, np.ndarray]] = []
    y, part, env = [], [], []
    for number, file in enumerate(files):
        fields, slices = _opened(file)
        nodes, edges = slices["x"].tolist(), slices["edge_index"].tolist()
        x, ends = fields["x"].float().numpy(), fields["edge_index"].numpy()
        count = len(nodes) - 1
        graphs += [
            (x[nodes[k] : nodes[k + 1]], ends[:, edges[k] : edges[k + 1]]) for k in range(count)
        ]
        y.append(fields["y"].reshape(count, -1).numpy())
        part.append(np.full(count, number))
        env.append(
            fields["env_id"].reshape(-1).numpy()
            if number == 0 and fields.get("env_id") is not None
            else np.full(count, -1)
        )
    known = bool((env[0] >= 0).all())
    return packed(
        graphs,
        labels(np.concatenate(y)),
        np.concatenate(part),
        np.concatenate(env) if known else None,
    )


def _opened(file: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return fields and slices of a collated file of torch-geometric,
    without running whatever else it may hold.
    """
    from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
    from torch_geometric.data.storage import GlobalStorage

    try:
        with torch.serialization.safe_globals([DataEdgeAttr, DataTensorAttr, GlobalStorage]):
            data, slices, *_ = torch.load(file, weights_only=True)
        fields = data if isinstance(data, dict) else data.to_dict()
        return fields, {name: slices[name] for name in ("x", "edge_index")}
    except Exception as error:  # an older pickle, another content, a broken file
        raise DataUnavailable(
            f"{str(file)!r} holds no collated graphs that can be read safely: {error}".split("\n")[
                0
            ][:400]
            + "; write it anew with a current torch-geometric."
        ) from error
