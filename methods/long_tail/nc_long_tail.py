"""Neural collapse as a regulariser for long tails (arXiv:2302.12453)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.tracks.long_tail import class_sizes
from bench.training.recipe import Batch, Recipe, Seeds, cross_entropy
from bench.training.stack import StackedNet

from ._weights import effective, of_rows


class _State:
    """Weights of the classes (K, C), running means of their features, and the batch's features."""

    def __init__(self, seeds: Seeds) -> None:
        self.weights = effective(class_sizes(seeds), 1 - 1 / seeds.n_rows)
        self.means: torch.Tensor | None = None
        self.features = torch.empty(0)


class NcLongTail(Recipe):
    """Pull features to the mean of their class, and push the means apart by their smallest
    angle.
    """

    card: ClassVar = MethodCard(
        name="nc-long-tail",
        title="Neural collapse regulariser",
        track="long-tail",
        paper="arXiv:2302.12453",
        bibtex="""@inproceedings{liu2023inducing,
  title = {Inducing Neural Collapse in Deep Long-Tailed Learning},
  author = {Liu, Xuantong and Zhang, Jianfeng and Hu, Tianyang and Cao, He and Yao, Yuan and Pan,
    Lujia},
  booktitle = {AISTATS},
  year = {2023},
  eprint = {2302.12453},
  archivePrefix = {arXiv}
}""",
        claim="Long tails keep classes from collapsing to a symmetric frame; two terms that "
        "enforce it help the tail.",
        deviates="The abstract alone was read: the form of both terms and their weights are "
        "recalled. Running means stand in the terms, and gradients are those of the batch's means.",
        signal="features",
        stacked=True,
        defaults_from="here",
        trials=3,
        tuning={"within": (0.001, 0.01, 0.1), "between": (0.01, 0.1, 1.0)},
    )
    within: Annotated[float, Meta(ge=0)] = 0.01
    """Weight of the squared distance to the mean of the class."""
    between: Annotated[float, Meta(ge=0)] = 0.1
    """Weight of the smallest angle of a class mean with another, in radians."""
    memory: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    """What the running means keep in a step."""

    def start(self, seeds: Seeds) -> _State:
        """Set up the means."""
        return _State(seeds)

    def forward(self, state: _State, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return logits (K, B, C), and keep the features."""
        state.features = nets.features(batch.x)
        return nets.head(state.features)

    def loss(self, state: _State, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """CE + within w ||h - mu_y||^2 - between mean_c min_c' angle."""
        lost, features = cross_entropy(logits, batch.y), state.features
        if not (self.within or self.between):
            return lost
        own = F.one_hot(batch.y, logits.shape[-1]).to(features.dtype)
        counts = own.sum(1)[..., None]
        found = torch.bmm(own.mT, features) / counts.clamp_min(1)
        before = found.detach() if state.means is None else state.means
        moved = self.memory * before + (1 - self.memory) * found.detach()
        means = torch.where(counts > 0, moved, before)
        state.means = means
        centres = means.gather(1, batch.y[..., None].expand_as(features))
        apart = of_rows(state.weights, batch) * (features - centres).square().sum(-1)
        # the value of the running means, the gradient of the batch's
        live = means + torch.where(counts > 0, found - found.detach(), 0.0)
        return lost + self.within * apart - self.between * smallest_angles(live).mean(-1)[:, None]


def smallest_angles(means: torch.Tensor) -> torch.Tensor:
    """Return of each class mean (K, C, D) the smallest angle with another, seen from their mean, in
    radians (K, C).
    """
    directions = F.normalize(means - means.mean(1, keepdim=True), dim=-1)
    cosines = torch.bmm(directions, directions.mT)
    itself = torch.eye(means.shape[1], dtype=torch.bool, device=means.device)
    nearest = cosines.masked_fill(itself, -torch.inf).amax(-1)
    # away from 1 and -1, where the angle has no slope
    return nearest.clamp(-1 + 1e-6, 1 - 1e-6).acos()
