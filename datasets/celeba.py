"""Faces whose hair goes with their gender."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Dataset, DatasetCard, DataUnavailable, Meta, Run, Setup

from ._graph_sets import folder_of, stamps
from ._photographs import Photographs, numbers, pixels, rows_of

HOW = (
    "get list_attr_celeba.csv, list_eval_partition.csv and the folder img_align_celeba from "
    "mmlab.ie.cuhk.edu.hk/projects/CelebA.html or its copy on Kaggle, and put them there"
)


class CelebA(Dataset):
    """Faces of celebrities: blond or not, and male or not."""

    card: ClassVar = DatasetCard(
        name="celeba",
        title="Faces of celebrities (CelebA), blond or not",
        licence="non-commercial research, as its authors say",
        source="mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        size="202,599 photographs",
        had="local",
        paper="arXiv:1411.7766",
    )
    size: Annotated[int, Meta(ge=8, le=178)] = 64
    """Pixels of a side."""

    def load(self, run: Setup) -> Photographs:
        """Return the photographs; the label is 1 for blond hair, the attribute 1 for men.

        Raises:
            DataUnavailable: a file is not there, or holds something else.
        """
        folder = folder_of("celeba", how=HOW)
        table, parts = (folder / f"list_{name}.csv" for name in ("attr_celeba", "eval_partition"))
        names, blond, male = zip(
            *rows_of(table, ("image_id", "Blond_Hair", "Male"), HOW), strict=True
        )
        of = dict(rows_of(parts, ("image_id", "partition"), HOW))
        if absent := [name for name in names if name not in of]:
            raise DataUnavailable(f"{str(parts)!r} has no row of {absent[0]!r}; {HOW}.")

        def build(child: Run) -> dict[str, torch.Tensor]:
            files = [folder / "img_align_celeba" / name for name in names]
            return {"x": pixels(files, self.size, HOW)}

        recipe = {"dataset": "celeba", "size": self.size, "files": stamps([table])}
        return Photographs(
            x=run.cached(recipe, build)[0]["x"],
            y=numbers(blond, ("-1", "1"), "Blond_Hair", table),
            attribute=numbers(male, ("-1", "1"), "Male", table),
            part=numbers([of[name] for name in names], ("0", "1", "2"), "partition", parts),
        )
