"""Concept subspace networks (arXiv:2205.13997)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import torch
from torch import nn

from bench import InvalidRun, Meta, MethodCard
from bench.tracks.group_shift import Batch, GroupMethod, Seeds, cross_entropy
from bench.training.nets import StackedNet
from bench.training.stack import MemberNet, StackedMLP


def basis(prototypes: torch.Tensor) -> torch.Tensor:
    """Return an orthonormal basis (..., D, n - 1) of the plane through prototypes (..., n, D)."""
    found: torch.Tensor = torch.linalg.qr((prototypes[..., 1:, :] - prototypes[..., :1, :]).mT)[0]
    return found


def distances(z: torch.Tensor, prototypes: torch.Tensor) -> torch.Tensor:
    """Return the squared distances (..., B, n) from z (..., B, D), projected onto the plane through
    the prototypes (..., n, D), to each of them.
    """
    first, plane = prototypes[..., :1, :], basis(prototypes)
    inside, own = (z - first) @ plane, (prototypes - first) @ plane
    return (inside[..., :, None, :] - own[..., None, :, :]).square().sum(-1)


def alignment(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return the largest squared entry (...,) of the product of two bases (..., D, n), (..., D, m):
    0 where the planes are orthogonal.
    """
    return (one.mT @ other).square().flatten(-2).amax(-1)


class _Concepts(StackedNet):
    """Encoders, and for the label and the attribute prototypes (K, n, D)."""

    def __init__(self, encoder: StackedMLP, sizes: Sequence[int], inits: Sequence[Any]) -> None:
        super().__init__()
        self.members, self.encoder = encoder.members, encoder
        width = encoder.weights[-1].shape[1]
        drawn: list[list[torch.Tensor]] = []
        for init in inits:
            with init:
                drawn.append([torch.randn(size, width) for size in sizes])
        self.prototypes = nn.ParameterList(
            nn.Parameter(torch.stack(one).to(encoder.weights[0].device))
            for one in zip(*drawn, strict=True)
        )

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return the codes z (K, B, D) of inputs (K, B, ...)."""
        return self.encoder(x)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits (K, B, C): minus the squared distances to the prototypes of the labels."""
        return -distances(features, self.prototypes[0])

    def member(self, k: int) -> MemberNet:
        """Return member ``k`` as a net of its own."""
        return _Member(self, k)


class _Member(MemberNet):
    def __init__(self, concepts: _Concepts, k: int) -> None:
        super().__init__()
        self.encoder = concepts.encoder.member(k)
        self._labels = concepts.prototypes[0].detach()[k]
        self.eval()

    def features(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.encoder(x)
        return found

    def head(self, features: torch.Tensor) -> torch.Tensor:
        return -distances(features, self._labels)


class _State:
    """The stack, and the attribute of each row (K, N)."""

    def __init__(self, seeds: Seeds, values: int) -> None:
        self.attribute, self.seeds = seeds.group % values, seeds


class ConceptSubspaces(GroupMethod):
    """Classify label and attribute by prototypes in planes that shall be orthogonal."""

    card: ClassVar = MethodCard(
        name="csn",
        title="Concept subspace network",
        track="group-shift",
        paper="arXiv:2205.13997",
        bibtex="""@inproceedings{tucker2022prototype,
  title = {Prototype Based Classification from Hierarchy to Fairness},
  author = {Tucker, Mycal and Shah, Julie A.},
  booktitle = {ICML},
  year = {2022},
  eprint = {2205.13997},
  archivePrefix = {arXiv}
}""",
        claim="With orthogonal planes of label and protected attribute a classifier is as fair as "
        "those made for it.",
        official_code="flawed",
        deviates="No Gaussian code and no KL. The official code divides a class's probability by "
        "the sum over the whole batch; here each row's probabilities sum to 1.",
        needs=("train-groups",),
        signal="groups",
        stacked=True,
        defaults_from="here",
        trials=4,
        tuning={"align": (0.0, 10.0, 100.0)},
    )
    latent: Annotated[int, Meta(ge=2)] = 32
    """Numbers of a code."""
    attribute_weight: Annotated[float, Meta(ge=0)] = 0.1
    """Weight of the attribute's cross entropy, beside 1 of the label's."""
    near: Annotated[float, Meta(ge=0)] = 0.1
    """Weight of the distances from codes to the nearest prototype, and from prototypes to the
    nearest code of the batch.
    """
    align: Annotated[float, Meta(ge=0)] = 100.0
    """Weight of the alignment of the planes."""

    def start(self, seeds: Any) -> _State:
        """Draw encoders and prototypes.

        Raises:
            InvalidRun: the attribute has one value, or codes have too few numbers.
        """
        problem = seeds.problem
        values = seeds.n_groups // problem.n_classes
        state = _State(seeds, values)
        if values < 2 or self.latent < max(values, problem.n_classes):
            raise InvalidRun(
                f"the label has {problem.n_classes} values, the attribute {values} and a code "
                f"{self.latent} numbers; the planes want two values of each and codes of at least "
                "as many numbers, so run it where groups have an attribute, with a larger latent"
            )
        sizes = (math.prod(problem.x.shape[1:]), *problem.widths, self.latent)
        encoder = StackedMLP(
            sizes, [run.seeded("init", "encoder") for run in seeds.runs], seeds.device
        )
        inits = [run.seeded("init", "prototypes") for run in seeds.runs]
        seeds.nets = _Concepts(encoder, (problem.n_classes, values), inits)
        return state

    def forward(self, state: Any, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the codes (K, B, D)."""
        return nets.features(batch.x)

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Return sum over concepts of w CE + near (mean_i min_p d + mean_p min_i d), plus align
        times the largest squared entry of Q_y' Q_a, (K, 1).
        """
        labels, attributes = state.seeds.nets.prototypes
        truth = (batch.y, state.attribute.gather(1, batch.rows))
        total = self.align * alignment(basis(labels), basis(attributes))
        for weight, own, true in zip(
            (1.0, self.attribute_weight), (labels, attributes), truth, strict=True
        ):
            d = distances(logits, own)
            total = total + weight * cross_entropy(-d, true).mean(1)
            total = total + self.near * (d.amin(2).mean(1) + d.amin(1).mean(1))
        return total[:, None]
