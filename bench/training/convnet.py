"""Small nets as pure functions of their parameters: K of them side by side, differentiable twice,
and how they are trained.

Parameters are a list of tensors whose leading axis counts nets; inputs have the same leading axis.
A single net is K = 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, Protocol

import msgspec
import torch
from torch.nn import functional as F

Params = list[torch.Tensor]
Augment = Callable[[torch.Tensor], torch.Tensor]


class Net(Protocol):
    """What can be trained in a stack."""

    def init(self, generators: Sequence[torch.Generator]) -> Params:
        """Draw one net from each generator; every tensor is (K, ...)."""

    def features(self, params: Params, x: torch.Tensor) -> torch.Tensor:
        """Map (K, B, ...) to what the classifier sees, (K, B, F)."""

    def head(self, params: Params, features: torch.Tensor) -> torch.Tensor:
        """Map (K, B, F) to logits (K, B, C)."""

    def logits(self, params: Params, x: torch.Tensor) -> torch.Tensor:
        """Map (K, B, ...) to logits (K, B, C)."""


def drawn(
    shapes: Sequence[tuple[int, ...]], roles: Sequence[str], generators: Sequence[torch.Generator]
) -> Params:
    """Draw each net as torch's layers do: U(-1, 1) / sqrt(fan in) for
    weights and the biases after them, constants for the rest.
    """
    nets = []
    for generator in generators:
        net, bound = [], 0.0
        for shape, role in zip(shapes, roles, strict=True):
            bound = math.prod(shape[1:]) ** -0.5 if role == "weight" else bound
            tensor = torch.full(shape, float(role == "scale"), device=generator.device)
            net.append(
                tensor.uniform_(-bound, bound, generator=generator)
                if role in ("weight", "bias")
                else tensor
            )
        nets.append(net)
    return [torch.stack(tensors) for tensors in zip(*nets, strict=True)]


def _halved(h: torch.Tensor) -> torch.Tensor:
    """Return the means over squares of 2x2 pixels, as ``avg_pool2d`` does; whole rows, then whole
    columns are added, which takes half its time on a CPU.
    """
    rows, columns = (side - side % 2 for side in h.shape[-2:])
    h = h[..., 0:rows:2, :] + h[..., 1:rows:2, :]
    return (h[..., 0:columns:2] + h[..., 1:columns:2]) * 0.25


class ConvNet(msgspec.Struct, frozen=True, kw_only=True):
    """Blocks of [convolution 3x3, instance norm, ReLU, average pooling 2x2], then a linear
    classifier.

    One grouped convolution serves all K nets. Source: arXiv:2006.05929;
    VICO-UoE/DatasetCondensation, networks.py. Instance norm is group norm with a group a channel,
    affine. One-channel images of 28x28 are padded by 3 in the first block, so that they become
    32x32.

    Attributes:
        shape: of an image, (channels, height, width).
        classes: C.
        width: channels of every block.
        depth: blocks: 3 for 32x32, 4 for 64x64; images of 8x8 admit 2 before a single pixel is
            left.
    """

    shape: tuple[int, int, int]
    classes: int
    width: int = 128
    depth: int = 3

    @property
    def padding(self) -> int:
        """Padding of the first block."""
        return 3 if self.shape == (1, 28, 28) else 1

    @property
    def n_features(self) -> int:
        """Numbers that the classifier sees, F.

        Raises:
            ValueError: nothing is left of an image after so many poolings.
        """
        sides = [(side + 2 * (self.padding - 1)) >> self.depth for side in self.shape[1:]]
        if min(sides) < 1:
            raise ValueError(
                f"a ConvNet of depth {self.depth} leaves nothing of images of "
                f"{self.shape[1]}x{self.shape[2]}; take a smaller depth."
            )
        return self.width * sides[0] * sides[1]

    def init(self, generators: Sequence[torch.Generator]) -> Params:
        """Draw one net from each generator: weight, bias, scale and shift
        a block, then weight and bias of the classifier.
        """
        shapes: list[tuple[int, ...]] = []
        for block in range(self.depth):
            shapes += [
                (self.width, self.width if block else self.shape[0], 3, 3),
                (self.width,),
                (self.width,),
                (self.width,),
            ]
        shapes += [(self.classes, self.n_features), (self.classes,)]
        return drawn(
            shapes,
            ["weight", "bias", "scale", "shift"] * self.depth + ["weight", "bias"],
            generators,
        )

    def features(self, params: Params, x: torch.Tensor) -> torch.Tensor:
        """Map images (K, B, channels, height, width) to (K, B, F)."""
        nets, size = x.shape[:2]
        h = x.transpose(0, 1).flatten(1, 2)
        for block in range(self.depth):
            weight, bias, scale, shift = params[4 * block : 4 * block + 4]
            h = F.conv2d(
                h,
                weight.flatten(0, 1),
                bias.flatten(),
                padding=1 if block else self.padding,
                groups=nets,
            )
            h = F.group_norm(h, nets * self.width, scale.flatten(), shift.flatten())
            h = _halved(h.relu())
        return h.reshape(size, nets, -1).transpose(0, 1)

    def head(self, params: Params, features: torch.Tensor) -> torch.Tensor:
        """Map features (K, B, F) to logits (K, B, C)."""
        return torch.baddbmm(params[-1][:, None], features, params[-2].mT)

    def logits(self, params: Params, x: torch.Tensor) -> torch.Tensor:
        """Map images (K, B, channels, height, width) to logits (K, B, C)."""
        return self.head(params, self.features(params, x))


class Perceptron(msgspec.Struct, frozen=True, kw_only=True):
    """A multilayer perceptron with ReLU between layers.

    Attributes:
        sizes: widths from input to output, e.g. ``(64, 128, 128, 10)``.
    """

    sizes: tuple[int, ...]

    def init(self, generators: Sequence[torch.Generator]) -> Params:
        """Draw one net from each generator: weight and bias a layer."""
        shapes = [
            shape
            for inner, out in zip(self.sizes, self.sizes[1:], strict=False)
            for shape in ((out, inner), (out,))
        ]
        return drawn(shapes, ["weight", "bias"] * (len(self.sizes) - 1), generators)

    def features(self, params: Params, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (K, B, ...) to the last hidden layer (K, B, F)."""
        h = x.flatten(2)
        for weight, bias in zip(params[:-2:2], params[1:-2:2], strict=True):
            h = torch.baddbmm(bias[:, None], h, weight.mT).relu()
        return h

    def head(self, params: Params, features: torch.Tensor) -> torch.Tensor:
        """Map features (K, B, F) to logits (K, B, C)."""
        return torch.baddbmm(params[-1][:, None], features, params[-2].mT)

    def logits(self, params: Params, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (K, B, ...) to logits (K, B, C)."""
        return self.head(params, self.features(params, x))


# Training
# -------------------------------------------------------------------------------------------------


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How nets are trained, by SGD or AdamW, over so many steps.

    Attributes:
        steps: updates.
        optimiser: ``sgd`` or ``adamw``.
        lr: learning rate.
        momentum: of SGD, in [0, 1).
        weight_decay: of either.
        nesterov: Nesterov's momentum.
        schedule: ``constant``; ``cosine`` to 0; ``step``: a tenth after half of the steps, with a
            fresh optimiser, whose momentum starts from nothing (VICO-UoE/DatasetCondensation,
            utils.py).
    """

    steps: int
    optimiser: Literal["sgd", "adamw"] = "sgd"
    lr: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    nesterov: bool = False
    schedule: Literal["constant", "cosine", "step"] = "constant"


def epochs_of(
    n: int, batch: int, epochs: int, orders: Sequence[torch.Generator]
) -> Iterator[torch.Tensor]:
    """Yield the rows of every step, (K, B): each net has an order of its own; where all rows fit in
    one batch they stay as they are, (1, n).
    """
    whole = torch.arange(n)[None]
    for _ in range(epochs):
        if n <= batch:
            yield whole
        else:
            yield from torch.stack([torch.randperm(n, generator=order) for order in orders]).split(
                batch, 1
            )


def passes_of(
    rows: Sequence[torch.Tensor], batch: int, steps: int, orders: Sequence[torch.Generator]
) -> Iterator[torch.Tensor]:
    """Yield the rows of every step, (K, batch), where net k goes again and again through
    ``rows[k]``, in a new order each time.

    All nets take equally many steps of equal size, however few rows they have; a batch may end one
    pass and begin the next.
    """
    needed = steps * batch
    lists = []
    for own, order in zip(rows, orders, strict=True):
        rounds = [
            own.cpu()[torch.randperm(len(own), generator=order)]
            for _ in range(math.ceil(needed / len(own)))
        ]
        lists.append(torch.cat(rounds)[:needed])
    yield from torch.stack(lists).split(batch, 1)


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the mean cross entropy of each net, (K,), for logits (K, B,
    C) and labels (K, B) or class probabilities (K, B, C).
    """
    flat = targets.flatten(0, 1)
    return (
        F.cross_entropy(logits.flatten(0, 1), flat, reduction="none").view(logits.shape[:2]).mean(1)
    )


def fit(
    net: Net,
    params: Params,
    x: torch.Tensor,
    targets: torch.Tensor,
    batches: Iterable[torch.Tensor],
    recipe: Recipe,
    *,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = cross_entropy,
    augment: Augment | None = None,
    seen: Callable[[int, torch.Tensor, torch.Tensor], None] | None = None,
    watch: Callable[[int, Params], None] | None = None,
) -> Params:
    """Train K nets and return their parameters; those given are left alone.

    Args:
        net: what the parameters mean.
        params: where to start, tensors (K, ...).
        x: examples (n, ...).
        targets: labels (n,), or class probabilities (n, C), or whatever ``loss`` takes.
        batches: the rows of each step, (K, B), or (1, B) for all nets.
        recipe: the optimiser.
        loss: from outputs (K, B, C) and targets (K, B, ...) to one number a net.
        augment: changes a batch (K, B, ...).
        seen: called after each forward pass with the step, the rows and the detached logits.
        watch: called after each step with its number and the parameters, which it must leave alone.
    """
    own = [tensor.detach().clone().requires_grad_() for tensor in params]
    nets = len(own[0])
    optimiser = _optimiser(own, recipe, recipe.lr)
    for step, rows in enumerate(batches):
        if recipe.schedule == "cosine":
            optimiser.param_groups[0]["lr"] = (
                0.5 * recipe.lr * (1 + math.cos(math.pi * step / recipe.steps))
            )
        elif recipe.schedule == "step" and step == recipe.steps // 2 + 1:
            optimiser = _optimiser(own, recipe, recipe.lr / 10)
        batch = x[rows].expand(nets, *[-1] * x.dim())
        logits = net.logits(own, batch if augment is None else augment(batch))
        optimiser.zero_grad(set_to_none=True)
        loss(logits, targets[rows].expand(nets, *[-1] * targets.dim())).sum().backward()
        optimiser.step()
        if seen is not None:
            seen(step, rows, logits.detach())
        if watch is not None:
            watch(step, own)
    return [tensor.detach() for tensor in own]


def _optimiser(params: Params, recipe: Recipe, lr: float) -> torch.optim.Optimizer:
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(params, lr=lr, weight_decay=recipe.weight_decay, fused=True)
    return torch.optim.SGD(
        params,
        lr=lr,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.nesterov,
        fused=True,
    )


@torch.no_grad()
def outputs(
    net: Net,
    params: Params,
    x: torch.Tensor,
    batch: int = 2048,
    what: Literal["logits", "features"] = "logits",
) -> torch.Tensor:
    """Return logits (K, n, C) or features (K, n, F) of every net for all
    examples (n, ...), without gradient.
    """
    nets = len(params[0])
    call = net.logits if what == "logits" else net.features
    return torch.cat(
        [call(params, part.expand(nets, *part.shape)) for part in x.split(max(1, batch // nets))], 1
    )
