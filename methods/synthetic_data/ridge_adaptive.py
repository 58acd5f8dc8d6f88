"""Ridge regression whose penalty grows with the generation (arXiv:2402.07712)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.synthetic_data import Chain, ChainMethod, Generation, ridge


class AdaptiveRidge(ChainMethod):
    """Fit every generation with a penalty that follows the noise its answers have gathered."""

    card: ClassVar = MethodCard(
        name="ridge-adaptive",
        title="Ridge regression, the penalty growing with the generation",
        track="synthetic-data",
        paper="arXiv:2402.07712",
        bibtex="""@article{dohmatob2024model,
  title = {Model Collapse Demystified: The Case of Regression},
  author = {Dohmatob, Elvis and Feng, Yunzhen and Kempe, Julia},
  journal = {NeurIPS},
  year = {2024},
  eprint = {2402.07712},
  archivePrefix = {arXiv}
}""",
        claim="A penalty that is adapted to the number of rows and generations slows the collapse "
        "down; that for clean data is wrong.",
        deviates="The paper gives the penalty as a power of the number of rows, whose exponent "
        "depends on how fast the spectrum falls; here it is (n + 1) / T times a factor, n from 0.",
        needs=("noise",),
        defaults_from="here",
        tuning={"factor": (0.1, 0.3, 1.0, 3.0)},
    )
    factor: Annotated[float, Meta(ge=0)] = 1.0
    """What (n + 1) / T is multiplied by."""

    def fit(self, problem: Chain, at: Generation) -> torch.Tensor:
        """Return the weights (d,)."""
        return ridge(at.rows, self.factor * (at.n + 1) / len(at.rows.y))
