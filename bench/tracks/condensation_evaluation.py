"""How a small set is judged: nets trained on it by one protocol, and what is measured of them.

A method has no part in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec
import torch
from torch.func import vmap

from bench.tracks import condensation_augment as siamese
from bench.tracks import condensation_tuned
from bench.tracks.condensation_calls import seen
from bench.training import tuned
from bench.training.convnet import ConvNet, Net, Params
from bench.training.fitting import Recipe, epochs_of, fit
from bench.training.state import finite

__all__ = [
    "Protocol",
    "calibration_error",
    "masked_logits",
    "mean_nll",
    "ranking_score",
    "temperatures",
    "train",
]

BACKENDS = ("grouped", "stacked", "sequential")


class Protocol(msgspec.Struct, frozen=True, kw_only=True):
    """How evaluation nets are trained.

    Source: VICO-UoE/DatasetCondensation, utils.py, evaluate_synset.

    Attributes:
        epochs: E passes over the set; after E // 2 + 1 of them the learning rate falls to a tenth,
            with a fresh optimiser. The authors' loop takes one pass more.
        lr: learning rate.
        optimiser: ``sgd``, or ``adamw`` for transformers.
        momentum: of SGD.
        weight_decay: of either.
        batch: images of a batch.
        strategy: augmentations, joined by underscores; empty: none.
        flips: whether mirrored images may be shown.
    """

    epochs: int
    lr: float = 0.01
    optimiser: Literal["sgd", "adamw"] = "sgd"
    momentum: float = 0.9
    weight_decay: float = 5e-4
    batch: int = 256
    strategy: str = ""
    flips: bool = False


class _Vmapped(msgspec.Struct, frozen=True):
    """A net whose stack is batched by ``torch.func`` instead of grouped kernels."""

    net: ConvNet

    def init(self, generators: Sequence[torch.Generator]) -> Params:
        return self.net.init(generators)

    def head(self, params: Params, features: torch.Tensor) -> torch.Tensor:
        return self.net.head(params, features)

    def features(self, params: Params, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = vmap(
            lambda own, images: self.net.features([tensor[None] for tensor in own], images[None])[0]
        )(tuple(params), x)
        return found

    def logits(self, params: Params, x: torch.Tensor) -> torch.Tensor:
        return self.head(params, self.features(params, x))


def train(
    net: Net,
    start: Params,
    x: torch.Tensor,
    targets: torch.Tensor,
    protocol: Protocol,
    orders: Sequence[torch.Generator],
    backend: str = "grouped",
    watch: Callable[[int, Params], None] | None = None,
) -> Params:
    """Train K nets on a small set, from ``start`` (tensors (K, ...)), and return them after the
    last epoch.

    Args:
        net: what the parameters mean.
        start: initial weights.
        x: training images (n, ...).
        targets: labels (n,) or class probabilities (n, C).
        protocol: of the training.
        orders: a generator a net, for its order of images; the first also draws augmentations.
        backend: ``grouped``: all nets in grouped kernels; ``stacked``: in ``vmap``; ``sequential``:
            one after another.
        watch: called after each step with its number and the parameters of the nets trained
            together: all, or one after another.
    """
    if backend == "sequential" and len(orders) > 1:
        single = [
            train(
                net,
                [tensor[k : k + 1] for tensor in start],
                x,
                targets,
                protocol,
                [orders[k]],
                "grouped",
                watch,
            )
            for k in range(len(orders))
        ]
        return [torch.cat(tensors) for tensors in zip(*single, strict=True)]
    names = siamese.operations(protocol.strategy, protocol.flips)
    recipe = Recipe(
        steps=protocol.epochs * math.ceil(len(x) / protocol.batch),
        lr=protocol.lr,
        optimiser=protocol.optimiser,
        momentum=protocol.momentum,
        weight_decay=protocol.weight_decay,
        schedule="step",
    )
    return fit(
        _Vmapped(net) if backend == "stacked" and isinstance(net, ConvNet) else net,
        start,
        x,
        targets,
        epochs_of(len(x), protocol.batch, protocol.epochs, orders),
        recipe,
        augment=siamese.augmenter(names, (x.shape[-2], x.shape[-1]), orders[0]) if names else None,
        watch=watch,
    )


def logits_of(net: Net, params: Params, x: torch.Tensor) -> torch.Tensor:
    """Return the logits (K, n, C) in float64, as metrics need them.

    The nets see a copy that is wiped afterwards.

    Raises:
        InvalidRun: a net diverged.
    """
    copy = x.clone()
    found = seen(net, params, copy).double()
    copy.zero_()
    return finite(found, "nets trained on the set")


# What is measured
# -------------------------------------------------------------------------------------------------


def accuracies(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the accuracy of each net in percent, (K,), for logits (K, n, C)."""
    return 100 * (logits.argmax(-1) == y).double().mean(1)


def calibration_error(logits: torch.Tensor, y: torch.Tensor, bins: int = 15) -> torch.Tensor:
    """Return the expected calibration error of each net, (K,), in [0, 1]: over equal bins of
    confidence, the weighted gap to the accuracy.

    Source: arXiv:1706.04599, eq. 3. A bin holds its upper end.
    """
    confidence, predicted = logits.softmax(-1).max(-1)
    gap = confidence - (predicted == y).double()
    place = (confidence * bins).ceil().clamp(1, bins).long() - 1
    sums = torch.zeros(len(logits), bins, dtype=gap.dtype, device=gap.device).scatter_add_(
        1, place, gap
    )
    return sums.abs().sum(1) / logits.shape[1]


def mean_nll(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the mean negative log likelihood of each net in nats, (K,)."""
    return (
        logits.logsumexp(-1) - logits.gather(-1, y.expand(len(logits), -1)[..., None])[..., 0]
    ).mean(1)


def temperatures(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return for each net the temperature, (K,), from 1/1000 to 1000, that minimises the likelihood
    loss of ``logits / T``.

    The loss is convex in 1/T, so the sign of its derivative is bisected. Where a net finds every
    label, the loss falls as long as T does.

    Args:
        logits: of examples (K, n, C).
        y: their labels (n,).
    """
    label = logits.gather(-1, y.expand(len(logits), -1)[..., None])[..., 0]
    low, high = (
        torch.full((len(logits),), value, dtype=logits.dtype, device=logits.device)
        for value in (-math.log(1000), math.log(1000))
    )
    for _ in range(40):
        middle = (low + high) / 2
        scaled = logits * middle.exp()[:, None, None]
        slope = ((scaled.softmax(-1) * logits).sum(-1) - label).mean(1)
        low, high = torch.where(slope < 0, middle, low), torch.where(slope < 0, high, middle)
    return (-(low + high) / 2).exp()


@torch.no_grad()
def masked_logits(
    net: Net, params: Params, x: torch.Tensor, masked: float, generator: torch.Generator
) -> torch.Tensor:
    """Return the logits (K, n, C), in float64, of K nets for images (n, channels, height, width) of
    which each net misses a share of the pixels of its own.

    A pixel that is missed is zero, the mean of normalised images. Source: arXiv:2307.12463;
    DongyaoZhu/mtt-distillation, temperature.py.
    """
    nets = len(params[0])
    keep = torch.rand(nets, *x.shape, generator=generator) > masked
    return finite(net.logits(params, x * keep.to(x)).double(), "nets trained on the set")


def ranking_score(gain: float, weight: float = 0.5, loss: float = 0.0) -> tuple[float, float]:
    """Return DD-Ranking's balance, ``weight`` * gain - (1 - ``weight``) * loss, and its squashing
    into [0, 1], where 0 becomes 0.269.

    Args:
        gain: what the set is better than random images under one recipe, as a difference of
            fractions.
        weight: of the gain.
        loss: what it is worse than the whole data under hard labels, likewise.

    Source: arXiv:2505.13300; NUS-HPC-AI-Lab/DD-Ranking. For the augmentation-robust score ``loss``
    is minus the second gain.
    """
    balance = weight * gain - (1 - weight) * loss
    return balance, (math.exp(balance) - math.exp(-1)) / (math.e - math.exp(-1))


_SHAPES = [
    {"images": images, "side": side, "width": 32, "nets": 5}
    for side, images in ((8, 10), (8, 100), (8, 256), (14, 10), (14, 100), (28, 10))
]
_CUDA_SHAPES = [
    {"images": images, "side": 32, "width": 128, "nets": 20} for images in (10, 100, 256)
]


@tuned.tunable(
    "condensation/evaluation",
    candidates={"cpu": ("grouped", "sequential"), "cuda": ("grouped", "sequential", "stacked")},
    shapes={"cpu": _SHAPES, "cuda": _CUDA_SHAPES},
    table=condensation_tuned,
)
def _few_steps(
    candidate: str, device: torch.device, *, images: int, side: int, width: int, nets: int
) -> Callable[[], Any]:
    """Prepare three steps of all nets on ``images`` images of ten classes."""
    channels = 3 if side == 32 else 1
    net = ConvNet(
        shape=(channels, side, side), classes=10, width=width, depth=2 if side < 14 else 3
    )
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(images, channels, side, side, generator=generator).to(device)
    y = (torch.arange(images) % 10).to(device)
    start = [tensor.to(device) for tensor in net.init([generator] * nets)]
    return lambda: train(net, start, x, y, Protocol(epochs=3), [generator] * nets, candidate)


def quickest(images: int, net: Net, nets: int, device: torch.device) -> str:
    """Return the backend that was measured to be quickest for ``nets``
    nets and ``images`` images a step.
    """
    if not isinstance(net, ConvNet):
        return "grouped"
    return tuned.choice(
        "condensation/evaluation",
        device,
        images=images,
        side=net.shape[1],
        width=net.width,
        nets=nets,
    )
