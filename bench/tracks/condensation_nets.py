"""Other architectures that a condensed set is tried on: a ResNet and a small vision transformer, K
nets side by side like :class:`ConvNet`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import torch
from torch.nn import functional as F

from bench.training.convnet import Net, Params, Perceptron, drawn

__all__ = ["ARCHITECTURES", "ResNet", "VisionTransformer", "build"]

ARCHITECTURES = ("mlp", "resnet", "vit")


def build(name: str, shape: tuple[int, int, int], classes: int, width: int) -> Net:
    """Return an architecture for images of ``shape`` beside a ConvNet of ``width`` channels: at
    width 128 those of the papers.

    Args:
        name: one of :data:`ARCHITECTURES`.
        shape: (channels, height, width).
        classes: C.
        width: of the ConvNet; 128 gives a ResNet-18 of 64 to 512 channels and a transformer of
            dimension 128.
    """
    if name == "mlp":  # three hidden layers of 128: VICO-UoE/DatasetCondensation, networks.py
        return Perceptron(sizes=(math.prod(shape), 128, 128, 128, classes))
    return (
        ResNet(shape=shape, classes=classes, width=max(1, width // 2))
        if name == "resnet"
        else VisionTransformer(shape=shape, classes=classes, width=width)
    )


class ResNet(msgspec.Struct, frozen=True, kw_only=True):
    """ResNet-18 (arXiv:1512.03385) with the CIFAR stem and instance norm: few images cannot fill
    BatchNorm's running statistics.

    A stage is left out where it would leave a single pixel, on which instance norm says nothing:
    images of 8x8 get three of the four.

    Attributes:
        shape: of an image, (channels, height, width).
        classes: C.
        width: channels of the first stage; they double at every other.
    """

    shape: tuple[int, int, int]
    classes: int
    width: int = 64

    @property
    def blocks(self) -> list[tuple[int, int, int]]:
        """Channels in, channels out and stride of every block."""
        side, stages = min(self.shape[1:]), 1
        while stages < 4 and -(-side // 2**stages) >= 2:
            stages += 1
        found, inner = [], self.width
        for stage in range(stages):
            out = self.width * 2**stage
            found += [(inner, out, 2 if stage else 1), (out, out, 1)]
            inner = out
        return found

    def _convolutions(self) -> list[tuple[int, int, int]]:
        """Channels out, channels in and side of every kernel: the stem's, then two a block and a
        third where the shortcut changes the size.
        """
        found = [(self.width, self.shape[0], 3)]
        for inner, out, stride in self.blocks:
            found += [(out, inner, 3), (out, out, 3)] + (
                [(out, inner, 1)] if stride > 1 or inner != out else []
            )
        return found

    def init(self, generators: Sequence[torch.Generator]) -> Params:
        """Draw one net from each generator: weight, scale and shift a
        convolution, then weight and bias of the classifier.
        """
        shapes: list[tuple[int, ...]] = []
        for out, inner, side in self._convolutions():
            shapes += [(out, inner, side, side), (out,), (out,)]
        last = self.blocks[-1][1]
        return drawn(
            [*shapes, (self.classes, last), (self.classes,)],
            ["weight", "scale", "shift"] * (len(shapes) // 3) + ["weight", "bias"],
            generators,
        )

    def features(self, params: Params, x: torch.Tensor) -> torch.Tensor:
        """Map images (K, B, channels, height, width) to (K, B, F)."""
        nets, size = x.shape[:2]
        rest = iter(params[:-2])

        def convolved(h: torch.Tensor, stride: int = 1) -> torch.Tensor:
            weight, scale, shift = next(rest), next(rest), next(rest)
            h = F.conv2d(
                h, weight.flatten(0, 1), stride=stride, padding=weight.shape[-1] // 2, groups=nets
            )
            return F.group_norm(h, h.shape[1], scale.flatten(), shift.flatten())

        h = convolved(x.transpose(0, 1).flatten(1, 2)).relu()
        for inner, out, stride in self.blocks:
            found = convolved(convolved(h, stride).relu())
            h = (found + (convolved(h, stride) if stride > 1 or inner != out else h)).relu()
        return h.mean((2, 3)).view(size, nets, -1).transpose(0, 1)

    def head(self, params: Params, features: torch.Tensor) -> torch.Tensor:
        """Map features (K, B, F) to logits (K, B, C)."""
        return torch.baddbmm(params[-1][:, None], features, params[-2].mT)

    def logits(self, params: Params, x: torch.Tensor) -> torch.Tensor:
        """Map images (K, B, channels, height, width) to logits (K, B, C)."""
        return self.head(params, self.features(params, x))


class VisionTransformer(msgspec.Struct, frozen=True, kw_only=True):
    """A small vision transformer (arXiv:2010.11929): layer norm before attention and before the
    perceptron, the mean over patches at the end.

    Attributes:
        shape: of an image, (channels, height, width).
        classes: C.
        width: of a token.
        depth: blocks.
        heads: of the attention; they divide ``width``.
    """

    shape: tuple[int, int, int]
    classes: int
    width: int = 128
    depth: int = 4
    heads: int = 4

    @property
    def patch(self) -> int:
        """Side of a patch: the largest of 7, 4, 2 and 1 that makes at least 16 of them.

        4 at 32x32, 7 at 28x28, 2 at 8x8 and 14x14.
        """
        height, width = self.shape[1:]
        return next(
            side
            for side in (7, 4, 2, 1)
            if side == 1
            or (height % side == width % side == 0 and height * width >= 16 * side * side)
        )

    def init(self, generators: Sequence[torch.Generator]) -> Params:
        """Draw one net from each generator: embedding, places, 12 tensors a block (norm, attention,
        norm, perceptron), norm and classifier.
        """
        channels, height, side = self.shape
        patches, wide = height * side // self.patch**2, self.width
        block: list[tuple[int, ...]] = [
            (wide,),
            (wide,),
            (3 * wide, wide),
            (3 * wide,),
            (wide, wide),
            (wide,),
        ]
        block += [(wide,), (wide,), (2 * wide, wide), (2 * wide,), (wide, 2 * wide), (wide,)]
        roles = ["scale", "shift", "weight", "bias", "weight", "bias"] * 2
        shapes = [
            (wide, channels * self.patch**2),
            (wide,),
            (patches, wide),
            *block * self.depth,
            (wide,),
            (wide,),
            (self.classes, wide),
            (self.classes,),
        ]
        return drawn(
            shapes,
            ["weight", "bias", "weight", *roles * self.depth, "scale", "shift", "weight", "bias"],
            generators,
        )

    def features(self, params: Params, x: torch.Tensor) -> torch.Tensor:
        """Map images (K, B, channels, height, width) to (K, B, width)."""
        side, (nets, size) = self.patch, x.shape[:2]
        tiles = x.unflatten(-1, (-1, side)).unflatten(-3, (-1, side)).permute(0, 1, 3, 5, 2, 4, 6)
        h = (
            _affine(tiles.reshape(nets, size, -1, self.shape[0] * side * side), *params[:2])
            + params[2][:, None]
        )
        for block in range(self.depth):
            p = params[3 + 12 * block : 15 + 12 * block]
            q, k, v = (
                _affine(_normal(h, *p[:2]), *p[2:4])
                .unflatten(-1, (3, self.heads, -1))
                .permute(3, 0, 1, 4, 2, 5)
            )
            seen = F.scaled_dot_product_attention(
                q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1)
            ).unflatten(0, (nets, size))
            h = h + _affine(seen.transpose(2, 3).flatten(3), *p[4:6])
            h = h + _affine(F.gelu(_affine(_normal(h, *p[6:8]), *p[8:10])), *p[10:12])
        return _normal(h, *params[-4:-2]).mean(2)

    def head(self, params: Params, features: torch.Tensor) -> torch.Tensor:
        """Map features (K, B, F) to logits (K, B, C)."""
        return torch.baddbmm(params[-1][:, None], features, params[-2].mT)

    def logits(self, params: Params, x: torch.Tensor) -> torch.Tensor:
        """Map images (K, B, channels, height, width) to logits (K, B, C)."""
        return self.head(params, self.features(params, x))


def _affine(h: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Map tokens (K, B, T, in) to (K, B, T, out) by each net's own weights (K, out, in)."""
    found: torch.Tensor = torch.baddbmm(bias[:, None], h.flatten(1, 2), weight.mT).unflatten(
        1, h.shape[1:3]
    )
    return found


def _normal(h: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Layer norm of tokens (K, B, T, width) by each net's own scale and shift (K, width)."""
    return F.layer_norm(h, h.shape[-1:]) * scale[:, None, None] + shift[:, None, None]
