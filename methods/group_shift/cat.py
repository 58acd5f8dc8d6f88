"""Representations of several trainings, side by side (arXiv:2212.07346)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Annotated, Any, ClassVar

import msgspec
import torch
from torch import nn

from bench import Meta, MethodCard
from bench.tracks.group_shift import GroupMethod, Seeds, train
from bench.training.nets import StackedNet
from bench.training.stack import MemberNet, affine

from ._ensemble import SeveralNets

_EPS, _MOMENTUM = 1e-5, 0.1
"""Of batch normalisation, as torch has them."""


class _Joined(StackedNet):
    """Frozen nets, n a member, whose features are normalised by batch and read by one linear
    layer.
    """

    def __init__(
        self, bodies: StackedNet, nets: int, classes: int, inits: Sequence[Any], width: int
    ) -> None:
        super().__init__()
        self.members, self.nets = len(inits), nets
        self._bodies = [bodies]  # not registered: it is not trained
        shape, device = (self.members, 1, width), next(bodies.parameters()).device
        self.scale = nn.Parameter(torch.ones(shape, device=device))
        self.shift = nn.Parameter(torch.zeros(shape, device=device))
        self.weight = nn.Parameter(_drawn(inits, classes, width).to(device))
        self.bias = nn.Parameter(torch.zeros(self.members, 1, classes, device=device))
        self.register_buffer("mean", torch.zeros(shape, device=device))
        self.register_buffer("var", torch.ones(shape, device=device))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalised features (K, B, n D) of inputs (K, B, ...)."""
        with torch.no_grad():
            found = self._bodies[0].features(x.repeat(self.nets, *[1] * (x.dim() - 1)))
            joined = torch.cat(found.chunk(self.nets), 2)
            mean, var = self._moments(joined)
            joined = (joined - mean) / (var + _EPS).sqrt()
        return self.scale * joined + self.shift

    def _moments(self, joined: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        rows = joined.shape[1]
        if not self.training or rows < 2:
            return self.mean, self.var
        mean, var = joined.mean(1, keepdim=True), joined.var(1, correction=0, keepdim=True)
        self.mean.lerp_(mean, _MOMENTUM)
        self.var.lerp_(var * rows / (rows - 1), _MOMENTUM)
        return mean, var

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Map features (K, B, n D) to logits (K, B, C)."""
        return affine(features, self.weight, self.bias)

    def member(self, k: int) -> MemberNet:
        """Return member ``k`` as a net of its own."""
        return _Member(self, k)


class _Member(MemberNet):
    def __init__(self, joined: _Joined, k: int) -> None:
        super().__init__()
        places = range(k, joined.nets * joined.members, joined.members)
        self.bodies = nn.ModuleList(joined._bodies[0].member(place) for place in places)
        tensors = (joined.mean, joined.var, joined.scale, joined.shift, joined.weight, joined.bias)
        self._own = [tensor.detach()[k] for tensor in tensors]
        self.eval()

    def features(self, x: torch.Tensor) -> torch.Tensor:
        mean, var, scale, shift, *_ = self._own
        joined = torch.cat([body.features(x) for body in self.bodies], 1)
        return scale * ((joined - mean) / (var + _EPS).sqrt()) + shift

    def head(self, features: torch.Tensor) -> torch.Tensor:
        *_, weight, bias = self._own
        return nn.functional.linear(features, weight, bias[0])


def _drawn(inits: Sequence[AbstractContextManager[None]], classes: int, width: int) -> torch.Tensor:
    """Return linear layers (K, C, width), drawn as torch draws them."""
    found = []
    for init in inits:
        with init:
            found.append(torch.empty(classes, width).uniform_(-(width**-0.5), width**-0.5))
    return torch.stack(found)


class JoinedRepresentations(GroupMethod):
    """Train nets that differ in their initial weights, freeze them, and train one linear layer on
    the features of all.
    """

    card: ClassVar = MethodCard(
        name="cat",
        title="Joined representations of several trainings",
        track="group-shift",
        paper="arXiv:2212.07346",
        bibtex="""@inproceedings{zhang2023learning,
  title = {Learning useful representations for shifting tasks and distributions},
  author = {Zhang, Jianyu and Bottou, L{\\'e}on},
  booktitle = {ICML},
  year = {2023},
  eprint = {2212.07346},
  archivePrefix = {arXiv}
}""",
        claim="Features of several trainings side by side serve better under shift than those of "
        "one net of the same size trained once.",
        official_code="ok",
        deviates="Small multilayer perceptrons instead of residual nets, where four trainings "
        "hardly find other features than one. The layer is trained on the training rows.",
        signal="features",
        stacked=True,
        defaults_from="here",
    )
    members: Annotated[int, Meta(ge=1)] = 4
    """Nets whose features are joined."""
    head_epochs: Annotated[int, Meta(ge=1)] = 10
    """Epochs of the linear layer."""
    head_lr: Annotated[float, Meta(gt=0)] = 0.01
    """Learning rate of the linear layer."""

    def start(self, seeds: Any) -> None:
        """Train the nets, which nobody is shown, and put the linear layer upon them."""
        first: Seeds = seeds.stage(seeds.problem.epochs)
        first.nets = first.build(self.members)
        train(SeveralNets(members=self.members), first, None, report=False)
        inits = [run.seeded("init", "head") for run in seeds.runs]
        one = seeds.problem.x[:1].to(seeds.device)
        with torch.no_grad():
            width = first.nets.member(0).features(one).shape[1]
        seeds.nets = _Joined(
            first.nets, self.members, seeds.problem.n_classes, inits, self.members * width
        )

    def optimiser(self, seeds: Any) -> torch.optim.Optimizer:
        """Return SGD with Nesterov's momentum; normalisation has no weight decay."""
        nets = seeds.nets
        groups = [
            {"params": [nets.weight, nets.bias], "weight_decay": seeds.problem.weight_decay},
            {"params": [nets.scale, nets.shift], "weight_decay": 0.0},
        ]
        return torch.optim.SGD(groups, lr=self.head_lr, momentum=0.9, nesterov=True)

    def solve_alike(self, problems: Sequence[Any], runs: Sequence[Any]) -> list[Any]:
        """Train the nets, then the linear layer, which is reported."""
        seeds: Any = self.gather(problems, runs)
        self.start(seeds)
        last = seeds.stage(self.head_epochs, "head")
        last.problem = msgspec.structs.replace(last.problem, lr=self.head_lr)
        train(self, last, last)
        return self.solutions(last, last)

    def after_epoch(self, state: Any, epoch: int) -> None:
        """Count the forward passes of the frozen nets beside the first, which the loop counts."""
        state.count(forward=(self.members - 1) * state.n_rows)
