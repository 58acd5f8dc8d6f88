"""The label-distribution-aware margin loss (arXiv:1906.07413)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.tracks.long_tail import class_sizes
from bench.training.recipe import Batch, Model, Recipe, Seeds, cross_entropy
from bench.training.stack import MemberNet, StackedNet
from bench.training.stages import last_layer

from ._weights import effective, weighted_entropy


class _State:
    """The margin and the late weight of every class, (K, C) each."""

    def __init__(self, seeds: Seeds, largest: float, beta: float) -> None:
        sizes = class_sizes(seeds)
        margins = sizes**-0.25
        self.seeds = seeds
        self.margins = margins * largest / margins.amax(-1, keepdim=True)
        self.weights = effective(sizes, beta)


class Ldam(Recipe):
    """Ask for margins that grow with rarity, n^(-1/4), between cosines of features and classes."""

    card: ClassVar = MethodCard(
        name="ldam",
        title="Label-distribution-aware margins",
        track="long-tail",
        paper="arXiv:1906.07413",
        bibtex="""@inproceedings{cao2019learning,
  title = {Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss},
  author = {Cao, Kaidi and Wei, Colin and Gaidon, Adrien and Arechiga, Nikos and Ma, Tengyu},
  booktitle = {NeurIPS},
  year = {2019},
  eprint = {1906.07413},
  archivePrefix = {arXiv}
}""",
        claim="Larger margins for rarer classes lower the bound on the balanced error.",
        official_code="flawed",
        deviates="The public code prints the best epoch on the test part; here the last counts.",
        signal="labels",
        stacked=True,
        defaults_from="paper",
        tuning={"largest": (0.0, 0.3, 0.5, 0.8), "scale": (10.0, 30.0)},
    )
    largest: Annotated[float, Meta(ge=0)] = 0.5
    """Margin of the rarest class, as a cosine."""
    scale: Annotated[float, Meta(gt=0)] = 30.0
    """Factor of the cosines, which makes logits of them."""
    after: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """Share of the epochs with equal weights; class-balanced weights follow."""
    beta: Annotated[float, Meta(ge=0, lt=1)] = 0.9999
    """Of the effective number of rows, for the weights that follow."""

    def start(self, seeds: Seeds) -> _State:
        """Set margins and weights."""
        return _State(seeds, self.largest, self.beta)

    def forward(self, state: _State, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return cosines (K, B, C)."""
        features = F.normalize(nets.features(batch.x), dim=-1)
        return torch.bmm(features, F.normalize(last_layer(nets), dim=-1).mT)

    def loss(self, state: _State, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """CE(s (cos - m_y at the label)), equation 13."""
        own = F.one_hot(batch.y, logits.shape[-1]) * state.margins[:, None]
        scaled = self.scale * (logits - own)
        if batch.epoch < int(self.after * state.seeds.problem.epochs):
            return cross_entropy(scaled, batch.y)
        return weighted_entropy(scaled, batch, state.weights)

    def readout(self, state: _State, nets: StackedNet, k: int) -> Model:
        """Return net ``k`` with its head of cosines."""
        return _Cosine(nets.member(k), last_layer(nets).detach()[k], self.scale)


class _Cosine(nn.Module):
    """A net whose logits are scaled cosines of its features with the classes' weights (C, D)."""

    def __init__(self, net: MemberNet, weight: torch.Tensor, scale: float) -> None:
        super().__init__()
        self.net, self.scale = net, scale
        self.__dict__["weight"] = weight

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the head reads, (n, D)."""
        return self.net.features(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits (n, C) of inputs (n, ...)."""
        cosines = F.linear(F.normalize(self.features(x)), F.normalize(self.weight))
        return self.scale * cosines
