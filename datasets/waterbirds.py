"""Birds before backgrounds that go with their kind."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Dataset, DatasetCard, Meta, Run, Setup

from ._graph_sets import folder_of, stamps
from ._photographs import Photographs, numbers, pixels, rows_of

HOW = (
    "make the archive waterbird_complete95_forest2water2 as kohpangwei/group_DRO says, and unpack "
    "it there, named waterbirds"
)


class Waterbirds(Dataset):
    """Waterbirds and landbirds; most stand before water and land."""

    card: ClassVar = DatasetCard(
        name="waterbirds",
        title="Waterbirds and landbirds before water and land",
        licence="none stated; the birds are of CUB-200-2011, the backgrounds of Places",
        source="kohpangwei/group_DRO, waterbird_complete95_forest2water2",
        size="11,788 photographs",
        had="local",
        paper="arXiv:1911.08731",
    )
    size: Annotated[int, Meta(ge=8, le=512)] = 64
    """Pixels of a side."""

    def load(self, run: Setup) -> Photographs:
        """Return the photographs; the label is 1 for waterbirds, the attribute 1 for water.

        Raises:
            DataUnavailable: a file is not there, or holds something else.
        """
        folder = folder_of("waterbirds", how=HOW)
        table = folder / "metadata.csv"
        rows = rows_of(table, ("img_filename", "y", "place", "split"), HOW)
        names, y, place, part = zip(*rows, strict=True)

        def build(child: Run) -> dict[str, torch.Tensor]:
            return {"x": pixels([folder / name for name in names], self.size, HOW)}

        recipe = {"dataset": "waterbirds", "size": self.size, "files": stamps([table])}
        return Photographs(
            x=run.cached(recipe, build)[0]["x"],
            y=numbers(y, ("0", "1"), "y", table),
            attribute=numbers(place, ("0", "1"), "place", table),
            part=numbers(part, ("0", "1", "2"), "split", table),
        )
