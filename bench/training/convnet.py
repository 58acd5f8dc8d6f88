"""Small nets as pure functions of their parameters: K of them side by side, differentiable twice,
and how they are trained.

Parameters are a list of tensors whose leading axis counts nets; inputs have the same leading axis.
A single net is K = 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import msgspec
import torch
from torch.nn import functional as F

from bench.training.pooling import halved

Params = list[torch.Tensor]


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
            h = halved(h.relu_())
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
            h = torch.baddbmm(bias[:, None], h, weight.mT).relu_()
        return h

    def head(self, params: Params, features: torch.Tensor) -> torch.Tensor:
        """Map features (K, B, F) to logits (K, B, C)."""
        return torch.baddbmm(params[-1][:, None], features, params[-2].mT)

    def logits(self, params: Params, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (K, B, ...) to logits (K, B, C)."""
        return self.head(params, self.features(params, x))
