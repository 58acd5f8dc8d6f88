"""The highest entropy in a fresh random part of the pool (arXiv:2006.09916)."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.active_learning import ActiveMethod, View, entropy


class Partial(ActiveMethod):
    """Look at a random part of the open rows alone, another one every round."""

    card: ClassVar = MethodCard(
        name="partial",
        title="Highest entropy in a random part",
        track="active-learning",
        paper="arXiv:2006.09916",
        bibtex="""@article{atighehchian2020bayesian,
  title = {Bayesian Active Learning for Production, a Systematic Study and a Reusable Library},
  author = {Atighehchian, Parmida and Branchaud-Charron, Fr{\'e}d{\'e}ric and Lacoste, Alexandre},
  year = {2020},
  eprint = {2006.09916},
  archivePrefix = {arXiv}
}""",
        claim="To score a part of the pool costs less and does not harm.",
        official_code="ok",
        deviates="Entropy of one net, no disagreement under dropout.",
        needs=("classes",),
        stacked=True,
        defaults_from="here",
    )
    share: Annotated[float, Meta(gt=0, le=1)] = 0.1
    """Share of the open rows that is looked at; at least as many as are asked."""

    def ask(self, state: None, view: View) -> torch.Tensor:
        """Return the open rows (count,) of the highest entropy in the part."""
        size = max(view.count, math.ceil(self.share * len(view.open)))
        drawn = view.generator("part")
        places = torch.randperm(len(view.open), generator=drawn, device=drawn.device)[:size]
        some = view.open[places.to(view.open.device)].sort().values
        p = view.net.head(view.features(some)).softmax(1)
        best = entropy(p).sort(descending=True, stable=True).indices[: view.count]
        return some[best]
