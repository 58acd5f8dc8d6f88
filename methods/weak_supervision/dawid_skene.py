"""A confusion matrix a source, by EM (doi:10.2307/2346806)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch

from bench import Meta, MethodCard
from bench.tracks.weak_supervision import Panel, WeakSupervisionMethod, alternate, posterior

BIBTEX = """@article{dawid1979maximum,
  title = {Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm},
  author = {Dawid, A. P. and Skene, A. M.},
  journal = {Journal of the Royal Statistical Society, Series C},
  volume = {28},
  number = {1},
  pages = {20--28},
  year = {1979}
}"""


class DawidSkene(WeakSupervisionMethod):
    """Each source has a table of how likely it votes what under each class; tables and labels are
    found in turns.
    """

    card: ClassVar = MethodCard(
        name="dawid-skene",
        title="Confusion matrices, by EM (Dawid-Skene)",
        track="weak-supervision",
        paper="doi:10.2307/2346806",
        bibtex=BIBTEX,
        deviates="Abstaining is a vote of its own. Counts are smoothed, and the shares of the "
        "classes are fixed: all the same unless they are told.",
        stacked=True,
        defaults_from="here",
    )
    shares: Literal["fixed", "learned"] = "fixed"
    """``learned``: the shares of the classes are estimated in each round, as in the paper."""
    rounds: Annotated[int, Meta(ge=1)] = 100
    """Most rounds of EM."""
    tolerance: Annotated[float, Meta(gt=0)] = 1e-6
    """EM ends when no probability moves by more."""
    smoothing: Annotated[float, Meta(gt=0)] = 0.01
    """Added to the count of each vote under each class."""

    def labels(self, panel: Panel) -> torch.Tensor:
        """Alternate the tables (eq. 2.3) and the labels (eq. 2.5), (K, N, C)."""
        symbols = torch.cat([panel.marks, 1 - panel.casts[..., None]], -1)
        flat, shape = symbols.flatten(2).mT.contiguous(), symbols.shape[2:]

        def step(q: torch.Tensor) -> torch.Tensor:
            counts = (flat @ q).unflatten(1, shape) + self.smoothing
            if self.shares == "learned":
                panel.prior = q.mean(1)  # eq. 2.4
            return posterior(panel, (counts / counts.sum(2, keepdim=True)).log())

        return alternate(panel, step, self.rounds, self.tolerance)
