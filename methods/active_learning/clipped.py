"""The least confident rows without the most uncertain ones (arXiv:2210.03005)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.active_learning import ActiveMethod, View


class Clipped(ActiveMethod):
    """Ask the least confident rows but those above a quantile of uncertainty: they are outliers."""

    card: ClassVar = MethodCard(
        name="clipped",
        title="Least confident, the top clipped",
        track="active-learning",
        paper="arXiv:2210.03005",
        bibtex="""@inproceedings{gonsior2022softmax,
  title = {To Softmax, or not to Softmax: that is the question when applying Active Learning for
    Transformer Models},
  author = {Gonsior, Julius and Falkenberg, Christian and Magino, Silvio and Reusken, Anja and
    Thiele, Maik and Lehner, Wolfgang},
  year = {2022},
  eprint = {2210.03005},
  archivePrefix = {arXiv}
}""",
        claim="Excluding the most uncertain rows gains more than any correction of the confidence.",
        deviates="Nets of the task, no transformer.",
        needs=("classes",),
        stacked=True,
        defaults_from="paper",
    )
    kappa: Annotated[float, Meta(gt=0, le=1)] = 0.95
    """Share of the open rows, by uncertainty, that may be asked; where too few are left, the next
    uncertain ones follow.
    """

    def ask(self, state: None, view: View) -> torch.Tensor:
        """Return the most uncertain open rows (count,) up to the quantile kappa."""
        order = (1 - view.p.amax(1)).sort(descending=True, stable=True).indices
        clipped = min(int((1 - self.kappa) * len(order)), len(order) - view.count)
        return view.open[order[clipped : clipped + view.count]]
