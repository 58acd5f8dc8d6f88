"""The loops of graph-ood: losses over environments and the weights of decorrelation.

Graphs and nets are left out: both sides start from the logits.
"""

from __future__ import annotations

import types
from collections.abc import Callable

import msgspec
import torch
from bench.builtin.methods.graph_ood._decorrelation import (
    Dependence,
    logit_slope,
    random_features,
    softmax_weights,
)
from bench.builtin.methods.graph_ood.groupdro import GroupDRO
from bench.builtin.methods.graph_ood.irm import InvariantRisk
from bench.builtin.methods.graph_ood.vrex import RiskExtrapolation
from torch.nn import functional as F

from official_loops.checkouts import Checkout
from official_loops.pairs import Pair, loop

GRAPHS, CLASSES, ENVIRONMENTS = 128, 3, 3


class Given(msgspec.Struct):
    """A batch of graphs whose logits are known."""

    graphs: torch.Tensor
    y: torch.Tensor
    env: torch.Tensor


class Through:
    """A net that gives the logits back."""

    def __init__(self, logits: torch.Tensor) -> None:
        self.logits = logits

    def __call__(self, graphs):
        return self


def batch() -> tuple[torch.Tensor, Given]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(GRAPHS, CLASSES, generator=generator).requires_grad_()
    y, env = (
        torch.randint(high, (GRAPHS,), generator=generator) for high in (CLASSES, ENVIRONMENTS)
    )
    return logits, Given(logits, y, env)


def penalised(method, state, algorithm: Callable, weight: float) -> Pair:
    """Return our loss and its gradient for the logits beside theirs."""
    logits, given = batch()
    config = types.SimpleNamespace(
        device="cpu",
        dataset=types.SimpleNamespace(num_envs=ENVIRONMENTS),
        ood=types.SimpleNamespace(ood_param=weight),
    )
    theirs = algorithm(config)
    data, mask = types.SimpleNamespace(env_id=given.env), torch.ones(GRAPHS)

    def with_gradient(loss):
        return loss, torch.autograd.grad(loss, logits)[0]

    def official_loss():
        said = theirs.output_postprocess(logits)
        losses = F.cross_entropy(said, given.y, reduction="none") * mask
        return with_gradient(theirs.loss_postprocess(losses, data, mask, config))

    return Pair(
        lambda: with_gradient(method.loss(state(), given, Through(logits))),
        official_loss,
        "loss and gradient of the logits",
        1e-3,
    )


def algorithms(official: Checkout, name: str):
    return getattr(official.load(f"GOOD.ood_algorithms.algorithms.{name}"), name)


@loop("irm", "graph-ood", "good", "GOOD.ood_algorithms.algorithms.IRM.loss_postprocess",
      "The loss alone, for 128 graphs of three environments.")  # fmt: skip
def irm(official: Checkout) -> Pair:
    return penalised(InvariantRisk(lam=0.1), lambda: ENVIRONMENTS, algorithms(official, "IRM"), 0.1)


@loop("vrex", "graph-ood", "good", "GOOD.ood_algorithms.algorithms.VREx.loss_postprocess",
      "The loss alone, for 128 graphs of three environments.")  # fmt: skip
def vrex(official: Checkout) -> Pair:
    return penalised(
        RiskExtrapolation(lam=10.0), lambda: ENVIRONMENTS, algorithms(official, "VREx"), 10.0
    )


@loop("groupdro", "graph-ood", "good", "GOOD.ood_algorithms.algorithms.GroupDRO.loss_postprocess",
      "The loss alone, for 128 graphs of three environments. A first step: the reference code keeps "
      "no weights of groups between steps.")  # fmt: skip
def groupdro(official: Checkout) -> Pair:
    return penalised(
        GroupDRO(eta=0.01),
        lambda: torch.full((ENVIRONMENTS,), 1 / ENVIRONMENTS),
        algorithms(official, "GroupDRO"),
        0.01,
    )


@loop("decorrelation", "graph-ood", "stablenet", "loss_reweighting.lossb_expect",
      "One random Fourier feature for each of 64 variables of 128 graphs. Results are compared with "
      "the features of the authors' code.", apart=True)  # fmt: skip
def decorrelation(official: Checkout, graphs: int = 128, variables: int = 64) -> Pair:
    module = official.load("loss_reweighting")
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(graphs, variables, generator=generator)
    clusters, start = torch.arange(variables), torch.randn(graphs, generator=generator)
    theirs = start[:, None].clone().requires_grad_()

    def ours(features=None):
        features = random_features(z, 1, generator) if features is None else features
        dependence = Dependence(features, clusters, "one")
        slope = logit_slope(start, dependence, ridge=0.0)
        return dependence.value(softmax_weights(start)), slope

    def official_loss():
        loss = module.lossb_expect(z, theirs.softmax(0), 1, True)
        return loss, torch.autograd.grad(loss, theirs)[0]

    def agree():
        torch.manual_seed(0)
        features = module.random_fourier_features_gpu(z, num_f=1, sum=True)[..., 0]
        torch.manual_seed(0)
        scale = 2 * ((graphs - 1) / graphs) ** 2
        return [scale * part for part in ours(features)], official_loss()

    return Pair(ours, official_loss, "loss and gradient of the weights", 1e-3, agree)
