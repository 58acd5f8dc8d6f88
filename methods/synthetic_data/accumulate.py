"""Least squares on all rows so far (arXiv:2404.01413)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.synthetic_data import Chain, ChainMethod, Generation, Rows, ridge


class Accumulate(ChainMethod):
    """Fit every generation on its own rows and those of all before it, the real ones too."""

    card: ClassVar = MethodCard(
        name="accumulate",
        title="Least squares on the rows of all generations so far",
        track="synthetic-data",
        paper="arXiv:2404.01413",
        bibtex="""@inproceedings{gerstgrasser2024is,
  title = {Is Model Collapse Inevitable? Breaking the Curse of Recursion by Accumulating Real and
    Synthetic Data},
  author = {Gerstgrasser, Matthias and Schaeffer, Rylan and Dey, Apratim and Rafailov, Rafael and
    Sleight, Henry and Hughes, John and Korbak, Tomasz and Agrawal, Rajashree and Pai, Dhruv and
    Gromov, Andrey and Roberts, Daniel A. and Yang, Diyi and Donoho, David L. and Koyejo, Sanmi},
  booktitle = {COLM},
  year = {2024},
  eprint = {2404.01413},
  archivePrefix = {arXiv}
}""",
        claim="Where model-made rows are added to the real ones instead of replacing them, the "
        "error has an upper bound whatever the number of generations.",
        needs=("noise",),
        defaults_from="paper",
    )

    def fit(self, problem: Chain, at: Generation) -> torch.Tensor:
        """Return the weights (d,)."""
        every = [*at.earlier, at.rows]
        x, y = (torch.cat([getattr(rows, name) for rows in every]) for name in ("x", "y"))
        return ridge(Rows(x=x, y=y), 0.0)
